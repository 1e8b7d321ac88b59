"""An edge's side of a session in a test: frames of a codec that needs the one before, asked about as the pipeline does."""

from __future__ import annotations

import asyncio

import numpy as np
from kits.session_cloud import Differences, class_of, session_cloud
from kits.uplink import MODEL, WANTED, make_uplink

from edge.metrics import EdgeMetrics
from shared.codecs import encode_frame
from shared.errors import UplinkError
from shared.tasks.classify import Classify
from shared.wire.frame import pack


class Camera:
    """Encodes and asks, in the order of its calls, as the encoder and a task for each frame do."""

    def __init__(self, uplink, *, deadline_s=20.0, seed=0, size=24, live=False):
        self.live = live
        self.asking = uplink.asking(WANTED, Classify(MODEL.labels, WANTED.top), deadline_s)
        self.room = self.asking.room
        self.stream = self.room.stream(Differences())
        self.deadline_s = deadline_s
        self.generator = np.random.default_rng(seed)
        self.count = 0
        self.size = size
        self.kept = []

    def encode(self):
        """One frame, and what its answer must be; None if there is no room."""
        array = self.generator.integers(0, 256, self.size, dtype=np.uint8)
        if not self.room.admits(self.stream, self.deadline_s, live=self.live):
            return None
        self.count += 1
        frame = encode_frame(
            array, self.stream.codec, split_point="layer3", fingerprint=MODEL.fingerprint,
            frame_id=self.count, capture_time_ns=self.count * 10**8, deadline_ms=round(1e3 * self.deadline_s),
        )  # fmt: skip
        return pack(frame), self.room.ticket(self.stream, frame), class_of(array)

    async def ask(self, encoded=None):
        """What became of one frame: `right`, `wrong`, or why it was not answered."""
        encoded = encoded or self.encode()
        if encoded is None:
            return "withheld"
        data, ticket, expected = encoded
        try:
            reply = await self.asking.ask(data, None, ticket)
        except UplinkError as error:
            return error.reason
        finally:
            ticket.done()
        return "right" if reply.answer.top[0]["class_id"] == expected else "wrong"

    def start(self):
        """A task that asks about a frame which is encoded now."""
        return asyncio.create_task(self.ask(self.encode()))


def with_sessions(check, **options):
    """Run `check(cloud, uplink)` against a cloud with sessions; no task of the session may be left."""

    async def go():
        async with session_cloud() as cloud:
            uplink = make_uplink(cloud.url, **({"deadline_s": 20.0, "metrics": EdgeMetrics()} | options))
            before = asyncio.all_tasks()
            async with uplink:
                await check(cloud, uplink)
            left = {repr(task.get_coro()) for task in asyncio.all_tasks() - before}
            assert not any("Session" in each or "Pump" in each or "Uplink" in each for each in left), left
            assert uplink._line.flow.under_way == 0
            assert uplink._metrics.session.open._value.get() == 0

    asyncio.run(asyncio.wait_for(go(), 60))


async def opened(uplink):
    """The uplink, greeted, with a session that is open."""
    await uplink.greet()
    async with asyncio.timeout(10):
        while not uplink.has_session:
            await asyncio.sleep(0.005)
    return uplink
