"""A session as a whole: each frame is answered once and right, whatever the connection does."""

import asyncio

from kits.session_cloud import Cancel, Hello
from kits.streaming import Camera, opened, with_sessions
from kits.uplink import metric

from shared.errors import UnavailableError
from shared.wire.session.messages import Arrived, Bye


def test_frames_go_in_order_and_only_the_first_needs_none():
    async def check(cloud, uplink):
        camera = Camera(await opened(uplink))
        tasks = [camera.start() for _ in range(20)]
        assert await asyncio.gather(*tasks) == ["right"] * 20
        assert cloud.numbers() == list(range(20)) == sorted(cloud.answered)
        assert metric(uplink, "session_keyframes_total", reason="start") == 1
        assert metric(uplink, "session_frames_total", outcome="answered") == 20
        assert metric(uplink, "session_opened_total") == 1
        assert cloud.frames == []  # none by HTTP

    with_sessions(check)


def test_what_a_frame_takes_to_come_is_the_links_time_and_not_the_clouds():
    async def check(cloud, uplink):
        camera = Camera(await opened(uplink))
        cloud.receive_s = 0.2
        assert [await camera.ask() for _ in range(3)] == ["right"] * 3
        size = metric(uplink, "uplink_bytes_total") / 3
        assert 0 < metric(uplink, "uplink_throughput_bytes_per_second") < 2 * size / cloud.receive_s

    with_sessions(check)


def test_a_session_is_ended_in_good_order():
    seen = []

    async def check(cloud, uplink):
        camera = Camera(await opened(uplink))
        assert await camera.ask() == "right"
        seen.append(cloud)

    with_sessions(check)
    assert isinstance(seen[0].events[-1], Bye)


def test_a_cut_in_the_middle_of_a_frame_costs_one_keyframe_and_no_wrong_answer():
    async def check(cloud, uplink):
        camera = Camera(await opened(uplink))
        cloud.cut_at = 6
        results = [await camera.ask() for _ in range(12)]
        assert results == ["right"] * 5 + ["state"] + ["right"] * 6
        assert metric(uplink, "session_keyframes_total", reason="break") == 1
        assert metric(uplink, "session_reconnects_total", result="resumed") == 1
        hellos = [each for each in cloud.events if isinstance(each, Hello)]
        assert [each.unanswered for each in hellos] == [(), (5,)]
        assert hellos[1].session

    with_sessions(check)


def test_a_keyframe_that_was_lost_is_sent_once_more():
    async def check(cloud, uplink):
        camera = Camera(await opened(uplink))
        cloud.cut_at = 1
        assert [await camera.ask() for _ in range(3)] == ["right"] * 3
        assert metric(uplink, "session_frames_total", outcome="resent") == 1
        assert cloud.numbers() == [0, 1, 2]

    with_sessions(check)


def test_frames_that_had_come_before_a_cut_are_awaited_and_answered_once():
    async def check(cloud, uplink):
        camera = Camera(await opened(uplink))
        cloud.holding = asyncio.Event()
        tasks = [camera.start() for _ in range(4)]
        await cloud.until(lambda: cloud.came == 4)
        cloud.cut()
        await cloud.until(lambda: cloud.opened == 2)
        cloud.holding.set()
        assert await asyncio.gather(*tasks) == ["right"] * 4
        assert cloud.numbers() == [0, 1, 2, 3] == sorted(cloud.answered)
        assert await camera.ask() == "right"

    with_sessions(check)


def test_a_cloud_that_knows_nothing_of_the_session_gets_keyframes_once_more():
    async def check(cloud, uplink):
        camera = Camera(await opened(uplink))
        assert await camera.ask() == "right"
        cloud.holding = asyncio.Event()
        cloud.resumes = False
        other = Camera(uplink, seed=1)
        tasks = [camera.start(), other.start()]
        await cloud.until(lambda: cloud.came == 3)
        cloud.cut()
        await cloud.until(lambda: cloud.opened == 2)
        cloud.holding.set()
        assert await asyncio.gather(*tasks) == ["state", "right"]
        assert metric(uplink, "session_reconnects_total", result="anew") == 1
        assert await camera.ask() == await other.ask() == "right"

    with_sessions(check)


def test_a_deadline_that_passes_withdraws_the_frame_and_the_stream_goes_on():
    async def check(cloud, uplink):
        camera = Camera(await opened(uplink))
        assert await camera.ask() == "right"
        cloud.holding = asyncio.Event()
        task = camera.start()
        await cloud.until(lambda: cloud.came == 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await cloud.until(lambda: any(isinstance(each, Cancel) for each in cloud.events))
        cloud.holding.set()  # the answer comes all the same, and is nobody's
        assert [await camera.ask() for _ in range(3)] == ["right"] * 3
        assert metric(uplink, "session_frames_total", outcome="cancelled") == 1
        assert sum(metric(uplink, "session_keyframes_total", reason=why) for why in ("lost", "wanted")) == 0

    with_sessions(check)


def test_a_refused_frame_costs_itself_only():
    async def check(cloud, uplink):
        camera = Camera(await opened(uplink))
        assert await camera.ask() == "right"
        cloud.refusal = UnavailableError("too much to do")
        assert await camera.ask() == "busy"
        cloud.refusal = None
        assert await camera.ask() == "state"  # which the cloud did not decode either
        assert await camera.ask() == "right"
        assert metric(uplink, "session_keyframes_total", reason="lost") == 1
        assert uplink.circuit.is_closed

    with_sessions(check)


def test_a_keyframe_that_is_wanted_is_the_next_frame():
    async def check(cloud, uplink):
        camera = Camera(await opened(uplink))
        assert [await camera.ask() for _ in range(2)] == ["right"] * 2
        await cloud.say(lambda connection: connection.keyframe(0))
        async with asyncio.timeout(5):
            while not camera.stream.codec._forget:
                await asyncio.sleep(0.005)
        assert await camera.ask() == "right"
        assert metric(uplink, "session_keyframes_total", reason="wanted") == 1

    with_sessions(check)


def test_a_session_that_is_to_be_left_moves_without_losing_or_repeating_a_frame():
    async def check(cloud, uplink):
        camera = Camera(await opened(uplink))
        assert await camera.ask() == "right"
        cloud.holding = asyncio.Event()
        under_way = [camera.start() for _ in range(3)]
        await cloud.until(lambda: cloud.came == 4)
        await cloud.say(lambda connection: connection.go_away("drain"))
        await cloud.until(lambda: cloud.opened == 2)
        later = [camera.start() for _ in range(3)]
        await cloud.until(lambda: cloud.came == 7)
        cloud.holding.set()
        assert await asyncio.gather(*under_way, *later) == ["right"] * 6
        assert metric(uplink, "session_go_aways_total", reason="drain") == 1
        assert metric(uplink, "session_keyframes_total", reason="break") == 1
        assert len([each for each in cloud.events if isinstance(each, Arrived)]) == 7
        await cloud.until(lambda: any(isinstance(each, Bye) for each in cloud.events))
        assert len(cloud.sockets) == 1

    with_sessions(check)


def test_more_streams_than_the_cloud_takes():
    async def check(cloud, uplink):
        cloud.streams_most = 2
        cameras = [Camera(await opened(uplink), seed=seed) for seed in range(3)]
        for _ in range(3):
            for camera in cameras:
                assert await camera.ask() in ("right", "state")
        assert "right" in [await camera.ask() for camera in cameras]

    with_sessions(check)
