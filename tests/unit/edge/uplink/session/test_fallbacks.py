"""Where there is no session frames go by HTTP: each answered, said once, and tried again with growing pauses."""

import asyncio
import logging
from types import SimpleNamespace

import pytest
from kits.streaming import Camera, opened, with_sessions
from kits.uplink import HERE, metric

from edge.uplink.session import sessions
from edge.uplink.session.metrics import FALLBACKS


async def fallen_back(uplink, reason):
    async with asyncio.timeout(10):
        while not metric(uplink, "session_fallbacks_total", reason=reason):
            await asyncio.sleep(0.005)


async def by_http(cloud, uplink, count=4):
    """Frames of a stream, each of which needs no other."""
    camera = Camera(uplink)
    before = len(cloud.frames)
    assert await asyncio.gather(*(camera.start() for _ in range(count))) == ["right"] * count
    assert len(cloud.frames) == before + count
    assert metric(uplink, "session_keyframes_total", reason="alone") >= count


@pytest.mark.parametrize("status", [404, 426, 403, 200, 500])
def test_an_upgrade_that_is_refused(status, caplog):
    async def check(cloud, uplink):
        cloud.refuses, cloud.id = status, None
        await uplink.greet()
        await fallen_back(uplink, "refused")
        await by_http(cloud, uplink)
        said = [each for each in caplog.messages if "no session" in each]
        assert len(said) == 1
        assert str(status) in said[0]

    with caplog.at_level(logging.INFO, "edge"):
        with_sessions(check)


@pytest.mark.parametrize(("status", "reason"), [(401, "unauthorized"), (403, "unauthorized"), (503, "busy")])
def test_a_cloud_that_refuses_says_why(status, reason):
    async def check(cloud, uplink):
        cloud.refuses = status
        await uplink.greet()
        await fallen_back(uplink, reason)
        await by_http(cloud, uplink)

    with_sessions(check)


def test_a_connection_that_is_closed_at_once_or_hangs(monkeypatch):
    monkeypatch.setattr(sessions, "OPENING_S", 1.0)

    async def closed(cloud, uplink):
        cloud.closes_at_once = True
        await uplink.greet()
        await fallen_back(uplink, "closed")
        await by_http(cloud, uplink)

    async def hangs(cloud, uplink):
        cloud.refuses = "hang"
        await uplink.greet()
        await by_http(cloud, uplink)  # meanwhile
        await fallen_back(uplink, "late")

    async def says_nothing(cloud, uplink):
        cloud.greets = False
        await uplink.greet()
        await by_http(cloud, uplink)
        await fallen_back(uplink, "late")

    with_sessions(closed)
    with_sessions(hangs, deadline_s=1.0)
    with_sessions(says_nothing, deadline_s=1.0)


def test_an_old_cloud_is_not_asked_for_one():
    async def check(cloud, uplink):
        cloud.model = HERE
        await uplink.greet()
        await by_http(cloud, uplink)
        assert cloud.opened == 0
        assert metric(uplink, "session_fallbacks_total", reason="old") == 1
        await uplink.greet()
        assert metric(uplink, "session_fallbacks_total", reason="old") == 1

    with_sessions(check)


def test_switched_off():
    async def check(cloud, uplink):
        await uplink.greet()
        await by_http(cloud, uplink)
        assert cloud.opened == 0
        assert all(metric(uplink, "session_fallbacks_total", reason=each) == 0 for each in FALLBACKS)

    with_sessions(check, session="off")


def test_without_http():
    async def check(cloud, uplink):
        await uplink.greet()
        camera = Camera(uplink)
        assert await camera.ask() == "right"  # it waits for the opening
        assert cloud.frames == []

    async def refused(cloud, uplink):
        cloud.refuses = 404
        await uplink.greet()
        assert await Camera(uplink).ask() == "refused"
        assert cloud.frames == []

    with_sessions(check, session="only")
    with_sessions(refused, session="only")


def test_pauses_grow_until_a_session_has_answered(monkeypatch):
    now = SimpleNamespace(time=0.0)

    async def check(cloud, uplink):
        own = uplink._sessions
        own._clock, own._draw = lambda: now.time, lambda: 0.5
        cloud.refuses = 404
        await uplink.greet()
        question = Camera(uplink).asking._question
        pauses = []
        for _ in range(12):
            slot = own._slots[question.query]
            async with asyncio.timeout(5):
                while not (slot.session and slot.session.has_ended):
                    await asyncio.sleep(0.002)
            pauses.append(slot.try_at - now.time)
            now.time = slot.try_at - 0.01
            before = slot.session
            assert own.of(question) is None
            assert slot.session is before  # not yet
            now.time = slot.try_at
            own.of(question)
        assert pauses[:9] == [1, 2, 4, 8, 16, 32, 64, 128, 256]
        assert pauses[9:] == [300, 300, 300]
        async with asyncio.timeout(5):
            while not slot.session.has_ended:
                await asyncio.sleep(0.002)
        cloud.refuses, now.time = None, slot.try_at
        own.of(question)
        await opened(uplink)
        assert await Camera(uplink).ask() == "right"

    with_sessions(check)


def test_a_session_that_cannot_go_on_gives_its_frames_to_http():
    async def check(cloud, uplink):
        camera = Camera(await opened(uplink))
        assert await camera.ask() == "right"
        cloud.holding = asyncio.Event()
        other = Camera(uplink, seed=3)
        tasks = [camera.start(), other.start()]  # one that needs the one before, and a keyframe
        await cloud.until(lambda: cloud.came == 3)
        cloud.refuses, cloud.id = 404, None
        cloud.cut()
        assert await asyncio.gather(*tasks) == ["state", "right"]
        assert len(cloud.frames) == 1
        assert metric(uplink, "session_reconnects_total", result="failed") == 1
        assert metric(uplink, "session_fallbacks_total", reason="refused") == 1

    with_sessions(check)


@pytest.mark.parametrize("left", [True, False])
def test_a_frame_that_is_sent_twice_claims_its_bytes_twice(left):
    async def check(cloud, uplink):
        camera = Camera(await opened(uplink))
        cloud.holding = asyncio.Event()
        task = camera.start()
        await cloud.until(lambda: cloud.came == 1)
        uplink._metrics.wire.limit(10_000_000)
        budget = uplink._metrics.wire.budget
        if not left:
            budget.spend(9_999_000)
        claimed, claim = [], budget.claim
        budget.claim = lambda size: claimed.append(size) or claim(size)
        cloud.refuses, cloud.id = 404, None
        cloud.cut()
        assert await task == ("right" if left else "budget")
        assert len(cloud.frames) == left
        assert len(claimed) == 1
        assert budget._claimed == 0
        assert uplink.circuit.is_closed

    with_sessions(check)


def test_over_a_long_way_going_on_after_a_break_has_its_round_trips(monkeypatch):
    """Frames wait in the session meanwhile, so it has no longer than it needs."""

    async def check(_cloud, uplink):
        await opened(uplink)
        (own,) = uplink._sessions._all
        trips = SimpleNamespace(round_trip_s=0.01)
        monkeypatch.setattr(uplink._line, "link", SimpleNamespace(state=trips))
        found = []
        for trips.round_trip_s in (0.01, 0.6, 5.0):
            found.append(own._means.going_on_s())
        assert found == pytest.approx([1.5, 3.6, 10.0])

    with_sessions(check, deadline_s=1.5)


@pytest.mark.parametrize(("mode", "opening_s"), [("auto", 10.0), ("only", 1.5)])
def test_the_first_connection_has_long_unless_frames_wait_for_it(mode, opening_s):
    async def check(_cloud, uplink):
        await opened(uplink)
        (own,) = uplink._sessions._all
        assert own._means.opening_s == opening_s

    with_sessions(check, session=mode, deadline_s=1.5)
