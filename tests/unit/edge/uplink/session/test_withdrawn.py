"""Frames for whose answers nobody waits any more: they are not sent, and their bytes do not count for ever."""

import asyncio

from kits.session_cloud import Cancel
from kits.streaming import Camera, opened, with_sessions
from kits.uplink import metric


async def all_cancelled(tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_what_left_the_link_counts_no_more_in_whatever_order_frames_are_withdrawn():
    async def check(cloud, uplink):
        await opened(uplink)
        cameras = [Camera(uplink, seed=seed, size=60_000) for seed in range(2)]
        cloud.holding = asyncio.Event()
        tasks = []
        for count, camera in enumerate(cameras, 1):
            tasks.append(camera.start())
            await cloud.until(lambda count=count: cloud.came == count)
        await all_cancelled(reversed(tasks))  # the later sent first
        async with asyncio.timeout(5):
            while uplink._line.flow.under_way:
                await asyncio.sleep(0.005)
        assert sorted(cloud.events[-1].numbers) == [0, 1]

    with_sessions(check)


def test_a_frame_that_is_withdrawn_while_it_waits_to_be_sent_once_more_never_is():
    async def check(cloud, uplink):
        await opened(uplink)
        cameras = [Camera(uplink, seed=seed) for seed in range(3)]
        cloud.holding, cloud.resumes = asyncio.Event(), False
        tasks = [camera.start() for camera in cameras]
        await cloud.until(lambda: cloud.came == 3)
        cloud.frames_most = 1
        cloud.cut()
        await cloud.until(lambda: cloud.came == 4)
        await all_cancelled(tasks[1:])
        cloud.holding.set()
        assert await tasks[0] == "right"
        assert await cameras[1].ask() == "right"
        assert cloud.came == 5
        assert not any(isinstance(each, Cancel) for each in cloud.events)
        assert metric(uplink, "session_frames_total", outcome="withdrawn") == 2

    with_sessions(check)


def test_frames_of_a_session_that_is_gone_get_new_numbers_in_another():
    async def check(cloud, uplink):
        await opened(uplink)
        cameras = [Camera(uplink, seed=seed) for seed in range(2)]
        assert [await camera.ask() for camera in cameras] == ["right"] * 2
        cloud.holding, cloud.resumes = asyncio.Event(), False
        others = [Camera(uplink, seed=seed) for seed in (2, 3)]
        tasks = [camera.start() for camera in others]
        await cloud.until(lambda: cloud.came == 4)
        cloud.cut()
        await cloud.until(lambda: cloud.came == 6)
        cloud.holding.set()
        assert await asyncio.gather(*tasks) == ["right"] * 2
        assert await cameras[0].ask() == "right"
        assert cloud.numbers() == [0, 1, 2, 3, 4, 5, 6]

    with_sessions(check)
