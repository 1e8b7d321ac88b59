"""The edge's page on a loopback port, with cameras that do what a test says; no network, no cloud, no browser."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from types import SimpleNamespace

import aiohttp
import numpy as np
from kits.edge import record

from edge.cameras.metrics import CameraMetrics
from edge.frames.origin import Origin
from edge.frames.way import Captured
from edge.metrics import EdgeMetrics
from edge.output.page.page import Page
from edge.output.page.pictures import Pictures
from edge.output.status import serve_status
from shared.observing.telemetry import Stopwatch
from shared.security.gate import Gate
from shared.security.rights import GROUPS
from shared.tasks.detection.boxes import Box, Boxes

EVERYBODY = GROUPS["all"]


def boxes(*corners, label="cup", size=(64, 48), more=0):
    """An answer with a box at each of `corners`."""
    return Boxes(tuple(Box(1, label, 0.75, each) for each in corners), size, more)


class PageRun:
    """A page with cameras of which each frame is captured and answered when the test says so."""

    def __init__(self, cameras=("camera",), *, pictures=True, live=True, clouds=list):
        self.metrics = EdgeMetrics(cameras)
        self.told = {name: CameraMetrics(self.metrics, name) for name in cameras}
        self.page = Page(self.told, dict.fromkeys(cameras, live), self.metrics, clouds, pictures=pictures)
        self._numbers = {name: itertools.count() for name in cameras}
        for told in self.told.values():
            told.running.set(1)
            told.source_up.set(1)

    def capture(self, camera="camera", *, at_s=None, part=None, height=48, width=64):
        """A frame is read, and about to be prepared; its picture is as bright as its number."""
        number = next(self._numbers[camera])
        self.told[camera].saw_frame()
        origin = Origin(
            number=number,
            taken=number,
            frame_id=7 << 32 | number,
            captured_s=1.0 + number if at_s is None else at_s,
            captured_ns=0,
            size=(height, width),
            part=part,
            camera=camera,
            source="fake",
            file=None,
            media_time_s=None,
            damaged=False,
            watch=Stopwatch(self.metrics.steps, self.metrics.step_cpu),
        )
        shape = (part.height, part.width) if part else (height, width)
        frame = Captured(origin, np.full((*shape, 3), number % 256, np.uint8))
        if self.page.look:
            self.page.look(frame)
        return frame

    def answer(self, frame, **changes):
        """The frame's record comes to the page."""
        origin = frame.origin
        given = {"camera": origin.camera, "frame_id": f"{origin.frame_id:016x}"} | changes
        self.page(record(origin.number, **given))

    def frame(self, camera="camera", **changes):
        frame = self.capture(camera)
        self.answer(frame, **changes)
        return frame.origin.number


class _Clock:
    now_s = 100.0

    def __call__(self):
        return self.now_s


class PicturesRun(PageRun):
    """The pictures alone, with a clock that the test holds."""

    def __init__(self, cameras=("camera",)):
        super().__init__(cameras, pictures=False)
        self.clock, self.made = _Clock(), []
        self.pictures = Pictures(cameras, made=lambda: self.made.append(1), clock=self.clock)
        # In the page's place.
        self.page = SimpleNamespace(look=self.pictures.look)

    def answer(self, frame, **changes):
        origin = frame.origin
        given = {"camera": origin.camera, "frame_id": f"{origin.frame_id:016x}"} | changes
        self.pictures.answered(record(origin.number, **given))

    def both(self, camera="camera", **given):
        self.answer(self.capture(camera, **given))


def look_at(check, *given):
    """Run `check` with pictures on an event loop."""

    async def go():
        made = PicturesRun(*given)
        try:
            async with asyncio.timeout(30):
                await check(made)
        finally:
            made.pictures.close()

    asyncio.run(go())


@contextlib.asynccontextmanager
async def served(run, gate=None, **session):
    """The status port with the page; gives `ask(path, method, **options)` and the port."""
    server, port = serve_status(
        run.metrics.registry,
        lambda: run.metrics.state,
        run.metrics.unseen,
        "127.0.0.1",
        0,
        gate or Gate(None, EVERYBODY),
        page=run.page,
    )
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", **session) as client:

        async def ask(path, method="GET", **options):
            async with client.request(method, path, allow_redirects=False, **options) as response:
                return SimpleNamespace(
                    status=response.status, headers=response.headers, body=await response.read()
                )

        try:
            yield SimpleNamespace(ask=ask, client=client, port=port, server=server)
        finally:
            await run.page.close()
            server.stop()
            await server.close_all_connections()


async def events(response):
    """Each event of a stream: its name and its data, a state as what it says."""
    name = "state"
    async for line in response.content:
        text = line.decode().rstrip("\n")
        if text.startswith("event: "):
            name = text[7:]
        elif text.startswith("data: "):
            yield name, json.loads(text[6:])
            name = "state"


async def first_state(response):
    async for name, said in events(response):
        if name == "state":
            return said
    return None
