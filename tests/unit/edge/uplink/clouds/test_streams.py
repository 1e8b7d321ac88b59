"""Streams with several clouds: each keeps to one, and goes to another with a keyframe when that one is away."""

from __future__ import annotations

import asyncio
import contextlib

from kits.edge import value
from kits.session_cloud import session_cloud
from kits.streaming import Camera
from kits.uplink import MODEL, WANTED

from edge.metrics import EdgeMetrics
from edge.uplink.clouds.clouds import Clouds
from edge.uplink.clouds.opening import make_uplink
from edge.uplink.line import Line
from shared.tasks.classify import Classify


def with_two(check):
    """Run `check(clouds, uplinks, metrics)` once both have a session."""

    async def go():
        metrics = EdgeMetrics()
        async with contextlib.AsyncExitStack() as ends:
            served = [await ends.enter_async_context(session_cloud()) for _ in range(2)]
            lines = [
                Line(each.url, metrics, in_flight=8, deadline_s=20.0, one_of_several=True) for each in served
            ]
            clouds = await ends.enter_async_context(Clouds(lines, metrics, in_flight=8))
            task = Classify(MODEL.labels, WANTED.top)
            uplinks = make_uplink(clouds, MODEL, task, metrics, follows=False, wanted=WANTED)
            ends.push_async_callback(uplinks.close)
            await uplinks.check()
            uplinks.take_over()
            async with asyncio.timeout(10):
                while not all(seat.joined and seat.uplink.has_session for seat in uplinks._seats):
                    await asyncio.sleep(0.005)
            await check(served, uplinks, metrics)

    asyncio.run(asyncio.wait_for(go(), 60))


def test_each_stream_keeps_to_one_cloud():
    async def check(served, uplinks, metrics):
        cameras = [Camera(uplinks, seed=seed) for seed in range(6)]
        for _ in range(10):
            assert await asyncio.gather(*(each.ask() for each in cameras)) == ["right"] * 6
        assert value(metrics, "session_keyframes_total", reason="start") == 6
        assert value(metrics, "session_keyframes_total", reason="break") == 0
        assert sum(cloud.came for cloud in served) == 60
        assert all(cloud.came % 10 == 0 for cloud in served)
        assert uplinks.has_session
        assert uplinks.frame_overhead_bytes < 200

    with_two(check)


def test_a_stream_whose_cloud_is_away_goes_to_the_other_with_a_keyframe():
    async def check(served, uplinks, metrics):
        camera = Camera(uplinks)
        assert [await camera.ask() for _ in range(3)] == ["right"] * 3
        home = next(each for each in uplinks._seats if each is camera.stream.home)
        home.member.line.circuit.open("the test says so")
        results = [await camera.ask() for _ in range(6)]
        assert results == ["right"] * 6
        assert camera.stream.home is not home
        assert sum(cloud.came for cloud in served) == 9
        assert value(metrics, "session_keyframes_total", reason="break") == 1

    with_two(check)


def test_a_frame_whose_state_is_elsewhere_is_not_sent_in_vain():
    async def check(served, uplinks, metrics):
        camera = Camera(uplinks)
        assert await camera.ask() == "right"
        encoded = camera.encode()  # it needs the one before
        home = next(each for each in uplinks._seats if each is camera.stream.home)
        home.member.line.circuit.open("the test says so")
        assert await camera.ask(encoded) == "state"
        assert await camera.ask() == "right"
        assert sum(cloud.came for cloud in served) == 2

    with_two(check)


def test_a_frames_bytes_count_for_the_link_that_it_takes():
    async def check(served, uplinks, metrics):
        camera = Camera(uplinks)
        encoded = camera.encode()
        seats = uplinks._seats
        flows = [seat.member.line.flow for seat in seats]
        admitted = next(at for at, flow in enumerate(flows) if flow.under_way)
        camera.stream.home = seats[1 - admitted]
        served[0].holding = served[1].holding = asyncio.Event()
        task = asyncio.create_task(camera.ask(encoded))
        await served[1 - admitted].until(lambda: served[1 - admitted].came == 1)
        assert flows[admitted]._frames == flows[admitted].under_way == 0
        assert flows[1 - admitted]._frames == 1
        served[0].holding.set()
        assert await task == "right"

    with_two(check)
