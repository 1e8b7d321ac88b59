"""How much of the pictures is kept at once, of all cameras together."""

from __future__ import annotations

import asyncio
import threading

from kits.edge_page import look_at as run

from edge.frames.way import Captured
from edge.output.page import pictures as room


def test_pictures_that_wait_are_bounded_over_all_cameras(monkeypatch):
    size = 48 * 64 * 3
    monkeypatch.setattr(room, "MAX_HELD_BYTES", 3 * size)
    cameras = [f"c{number}" for number in range(8)]

    async def check(made):
        for camera in cameras:
            made.pictures.watch(camera)
        frames = [made.capture(camera) for camera in cameras]
        for frame in frames:
            made.answer(frame)
        assert sum(made.pictures.latest(camera) is not None for camera in cameras) == 3

    run(check, cameras)


def test_pictures_of_which_jpegs_are_being_made_count_too(monkeypatch):
    """The thread gives way to the frames, so that it may be slower than they come."""
    monkeypatch.setattr(room, "MAX_HELD_BYTES", 3 * 48 * 64 * 3)
    free = threading.Event()
    monkeypatch.setattr(room, "encode", lambda _: free.wait(20) and b"")

    async def check(made):
        made.pictures.watch("camera")
        asking = []
        for number in range(10):
            made.both()
            asking.append(asyncio.create_task(made.pictures.jpeg("camera", number)))
            await asyncio.sleep(0)
        kept = len(made.made)
        free.set()
        await asyncio.gather(*asking)
        assert kept == 3
        made.both()
        assert made.pictures.latest("camera").record.frame == 10

    run(check)


def test_a_strip_of_a_picture_counts_as_the_picture_that_it_keeps(monkeypatch):
    monkeypatch.setattr(room, "MAX_HELD_BYTES", 3 * 48 * 64 * 3)
    cameras = [f"c{number}" for number in range(8)]
    whole = Captured.__init__

    def strip(self, origin, picture, **given):
        whole(self, origin, picture[:4], **given)

    monkeypatch.setattr(Captured, "__init__", strip)

    async def check(made):
        for camera in cameras:
            made.pictures.watch(camera)
            made.both(camera)
        assert sum(made.pictures.latest(camera) is not None for camera in cameras) == 3

    run(check, cameras)


def test_one_large_picture_is_kept_all_the_same(monkeypatch):
    monkeypatch.setattr(room, "MAX_HELD_BYTES", 10)

    async def check(made):
        made.pictures.watch("camera")
        made.both()
        assert made.pictures.latest("camera")

    run(check)
