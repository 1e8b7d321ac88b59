"""The edge's side of a session against the cloud's: the same answers as by HTTP, over breaks and a drain too."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from kits.chained import add_chained
from kits.cloud import Server
from kits.streaming import opened
from kits.uplink import make_uplink, metric

from shared.codecs import encode_frame
from shared.errors import UplinkError
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted
from shared.wire.frame import pack

pytestmark = pytest.mark.slow


class Camera:
    """A camera whose frames cross at `flatten`."""

    def __init__(self, uplink, model, codec, seed=0):
        self.task = make_task(model, Wanted(5))
        self.asking = uplink.asking(Wanted(5), self.task, 20.0)
        self.stream = self.asking.room.stream(codec)
        self.random = np.random.default_rng(seed)
        self.model = model
        self.count = 0

    def start(self):
        assert self.asking.room.admits(self.stream, 20.0, live=False)
        array = self.random.normal(size=512).astype(np.float32)
        self.count += 1
        about = {"split_point": "flatten", "fingerprint": self.model.fingerprint, "frame_id": self.count}
        frame = encode_frame(
            array, self.stream.codec, capture_time_ns=self.count * 10**8, deadline_ms=20_000, **about
        )
        ticket = self.asking.room.ticket(self.stream, frame)
        alone = pack(encode_frame(array, self.stream.codec.for_stream(), **about))
        return asyncio.create_task(self._ask(pack(frame), ticket, alone))

    async def _ask(self, data, ticket, alone):
        try:
            reply = await self.asking.ask(data, None, ticket)
        except UplinkError as error:
            return error.reason
        finally:
            ticket.done()
        by_http = await self.asking._uplink._streaming._exchange.post(alone, None, self.asking._question)
        found, wanted = ([each["class_id"] for each in one.answer.top] for one in (reply, by_http))
        same = np.allclose(
            *([each["probability"] for each in one.answer.top] for one in (reply, by_http)), atol=1e-4
        )
        return "right" if found == wanted and same else f"wrong: {found} {wanted}"


def play(server, model, check):
    async def go():
        uplink = make_uplink(f"http://127.0.0.1:{server.port}", model=model, deadline_s=20.0)
        async with uplink:
            await check(await opened(uplink))
        assert uplink._line.flow.under_way == 0

    asyncio.run(asyncio.wait_for(go(), 90))


def test_the_same_answers_as_by_http(server, model, monkeypatch):
    codec = add_chained(monkeypatch)

    async def check(uplink):
        camera = Camera(uplink, model, codec)
        assert await asyncio.gather(*(camera.start() for _ in range(20))) == ["right"] * 20
        assert metric(uplink, "session_keyframes_total", reason="start") == 1
        # What is above the payload, answers with their five classes and timings included.
        assert uplink.frame_overhead_bytes < 75

    play(server, model, check)


def test_a_break_costs_one_keyframe_and_no_wrong_answer(server, model, monkeypatch):
    codec = add_chained(monkeypatch)

    async def check(uplink):
        camera = Camera(uplink, model, codec)
        results = []
        for round_ in range(5):
            tasks = [camera.start() for _ in range(4)]
            await asyncio.sleep(0.002 * round_)
            slot = next(iter(uplink._sessions._slots.values()))
            slot.session._traffic.connection.break_off()
            results += await asyncio.gather(*tasks)
            assert await camera.start() in ("right", "state")
            assert await camera.start() == "right"
        assert set(results) <= {"right", "state"}
        assert metric(uplink, "session_reconnects_total", result="resumed") == 5

    play(server, model, check)


def test_a_drain_loses_and_repeats_nothing(model, monkeypatch, expect_log):
    codec = add_chained(monkeypatch)
    with Server() as server:

        async def check(uplink):
            camera = Camera(uplink, model, codec)
            assert await camera.start() == "right"
            tasks = [camera.start() for _ in range(3)]
            stopped = asyncio.wrap_future(server.stop_service())
            found = await asyncio.gather(*tasks)
            assert set(found) <= {"right", "state", "busy", "unreachable"}
            assert metric(uplink, "session_go_aways_total", reason="drain") == 1
            await stopped

        play(server, model, check)
