"""Pictures: none while nobody looks, one JPEG for all viewers, and never that of another frame."""

from __future__ import annotations

import asyncio

import cv2
import numpy as np
import pytest
from kits.edge_page import look_at as run

from edge.cameras.shapes import Part
from edge.output.page import pictures as room
from edge.output.page.pictures import EVERY_S, MAX_WIDTH, encode


def brightness(jpeg):
    return round(float(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).mean()))


def test_nothing_is_kept_while_nobody_looks():
    async def check(made):
        made.both()
        assert made.pictures.latest("camera") is None
        made.pictures.watch("camera")
        made.both()
        assert made.pictures.latest("camera").record.frame == 1
        made.pictures.watch("nobody")
        assert made.pictures.latest("nobody") is None

    run(check)


def test_a_camera_is_forgotten_when_nobody_looks_any_more(monkeypatch):
    monkeypatch.setattr(room, "KEEP_S", 0.05)

    async def check(made):
        made.pictures.watch("camera")
        made.both()
        await asyncio.sleep(0.1)
        assert made.pictures.latest("camera"), "by the clock somebody looks still"
        made.clock.now_s += 1
        while made.pictures.latest("camera"):
            await asyncio.sleep(0.01)

    run(check)


def test_a_picture_is_shown_once_its_frame_is_answered():
    async def check(made):
        made.pictures.watch("camera")
        first, second = made.capture(), made.capture()
        assert made.pictures.latest("camera") is None
        made.answer(first)
        assert made.pictures.latest("camera").record.frame == first.origin.number
        made.answer(second)
        assert made.pictures.latest("camera").record.frame == second.origin.number

    run(check)


def test_frames_that_come_too_soon_are_passed_over():
    async def check(made):
        made.pictures.watch("camera")
        for at_s in (1.0, 1.0 + EVERY_S / 2, 1.01 + EVERY_S):
            made.both(at_s=at_s)
        kept = [(await made.pictures.jpeg("camera", number)) is not None for number in range(3)]
        assert kept == [True, False, True]

    run(check)


def test_a_frame_without_a_record_costs_the_next_ones_nothing():
    async def check(made):
        made.pictures.watch("camera")
        made.capture()  # its record never comes
        for _ in range(4):
            made.both()
        assert made.pictures.latest("camera").record.frame == 4

    run(check)


def test_all_viewers_share_a_jpeg_and_a_frame_has_its_own():
    async def check(made):
        made.pictures.watch("camera")
        for _ in range(3):
            made.both()
        for number in range(3):
            found = await asyncio.gather(*(made.pictures.jpeg("camera", number) for _ in range(20)))
            assert {(record.frame, brightness(jpeg)) for record, jpeg in found} == {(number, number)}
        assert len(made.made) == 3
        assert made.pictures.latest("camera").pixels is None, "the picture is kept beside its JPEG"

    run(check)


def test_a_viewer_that_leaves_takes_the_jpeg_from_nobody():
    async def check(made):
        made.pictures.watch("camera")
        made.both()
        leaving = asyncio.create_task(made.pictures.jpeg("camera", 0))
        staying = asyncio.create_task(made.pictures.jpeg("camera", 0))
        await asyncio.sleep(0)
        leaving.cancel()
        record, _ = await staying
        assert record.frame == 0

    run(check)


def test_old_pictures_go_and_those_that_nobody_asked_for_go_first():
    async def check(made):
        made.pictures.watch("camera")
        for number in range(20):
            made.both()
            if number % 2:
                await made.pictures.jpeg("camera", number)
        kept = [number for number in range(20) if (await made.pictures.jpeg("camera", number))]
        assert len(kept) <= 6
        assert kept[-1] == 19
        assert all(number % 2 for number in kept if number < 17)

    run(check)


def test_the_part_that_the_network_sees_is_what_is_shown():
    part = Part(top=10, left=20, height=30, width=40)

    async def check(made):
        made.pictures.watch("camera")
        made.both(part=part)
        picture = made.pictures.latest("camera")
        assert (picture.part, picture.size) == (part, (48, 64))
        _, jpeg = await made.pictures.jpeg("camera", 0)
        assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (30, 40, 3)

    run(check)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1080, 1920), (360, 640)), ((48, 64), (48, 64)), ((4000, 1000), (1280, 320)), ((1, 5000), (1, 640))],
)
def test_a_jpeg_is_small_enough_for_a_page(size, expected):
    data = encode(np.full((*size, 3), 200, np.uint8))
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (*expected, 3)
    assert expected[1] <= MAX_WIDTH


@pytest.mark.parametrize("size", [(2160, 3840), (1944, 2592), (731, 1300), (4000, 1000), (1, 5000)])
def test_a_picture_is_made_smaller_on_the_pages_own_thread(monkeypatch, size):
    """OpenCV's others are for the frames; made by a thread that gives way, they would give way with a frame's picture in hand."""
    whole, made = cv2.resize, []

    def resize(pixels, size, **options):
        made.append(size[0] * size[1])
        return whole(pixels, size, **options)

    monkeypatch.setattr(cv2, "resize", resize)
    slope = np.add.outer(np.linspace(0, 160, size[0]), np.linspace(0, 90, size[1]))
    pixels = np.repeat(slope[..., None].astype(np.uint8), 3, axis=2)
    found = cv2.imdecode(np.frombuffer(encode(pixels), np.uint8), cv2.IMREAD_COLOR)
    wanted = whole(pixels, found.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert max(made) <= 1 << 16
    wanted = cv2.imdecode(cv2.imencode(".jpg", wanted, [cv2.IMWRITE_JPEG_QUALITY, 75])[1], cv2.IMREAD_COLOR)
    assert np.abs(found.astype(int) - wanted).max() <= 3


def test_looking_costs_a_frame_no_time_to_speak_of_while_nobody_looks(monkeypatch):
    """No picture is touched: what is not there cannot be looked at."""

    async def check(made):
        frame = made.capture()
        monkeypatch.setattr(type(frame), "picture", property(lambda _: 1 / 0), raising=False)
        made.pictures.look(frame)

    run(check)
