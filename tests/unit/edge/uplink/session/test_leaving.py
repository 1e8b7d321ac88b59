"""Clouds that end sessions: frames are answered meanwhile, and no cloud is stormed."""

import asyncio
from types import SimpleNamespace

import pytest
from kits import session_cloud
from kits.streaming import Camera, opened, with_sessions
from kits.uplink import metric

from edge.uplink.session.traffic import Traffic


@pytest.mark.parametrize("reason", ["rebalance", "idle"])
def test_a_cloud_that_ends_each_session_at_once_is_asked_less_and_less(monkeypatch, reason):
    welcome = session_cloud.SessionCloud._welcome

    async def and_go_away(cloud, ws, connection, *given):
        kept = await welcome(cloud, ws, connection, *given)
        await ws.send_bytes(connection.go_away(reason))
        return kept

    monkeypatch.setattr(session_cloud.SessionCloud, "_welcome", and_go_away)
    now = SimpleNamespace(time=0.0)

    async def check(cloud, uplink):
        sessions = uplink._sessions
        sessions._clock, sessions._draw = lambda: now.time, lambda: 0.5
        await uplink.greet()
        camera, pauses = Camera(uplink), []
        for count in range(1, 6):
            async with asyncio.timeout(5):
                while metric(uplink, "session_fallbacks_total", reason="closed") < count:
                    assert await camera.ask() == "right"
                    await asyncio.sleep(0.005)
            (slot,) = sessions._slots.values()
            upgrades = cloud.opened
            for _ in range(3):
                assert await camera.ask() == "right"
            assert cloud.opened == upgrades
            pauses.append(slot.try_at - now.time)
            now.time = slot.try_at
        assert pauses == [1, 2, 4, 8, 16]
        assert cloud.opened == 6  # one more at once, after the first

    with_sessions(check)


def test_a_session_that_this_side_ends_has_not_failed(monkeypatch, caplog):
    """Also one that never answered, and whose connection is seen to be closed before anything else."""
    usual = Traffic.bye

    async def bye(traffic):
        await usual(traffic)
        await asyncio.sleep(0.05)  # as where the loop has other things to do

    monkeypatch.setattr(Traffic, "bye", bye)

    async def check(cloud, uplink):
        await opened(uplink)
        assert cloud.opened == 1
        await uplink.close()
        assert metric(uplink, "session_fallbacks_total", reason="closed") == 0
        assert metric(uplink, "session_reconnects_total", result="failed") == 0

    with_sessions(check)
    assert not caplog.records


def test_sessions_that_lasted_are_followed_by_others_at_once():
    now = SimpleNamespace(time=0.0)

    async def check(cloud, uplink):
        uplink._sessions._clock = lambda: now.time
        await opened(uplink)
        for count in range(2, 6):
            now.time += 10.0
            await cloud.say(lambda connection: connection.go_away("rebalance"))
            await cloud.until(lambda count=count: cloud.opened == count)
            await opened(uplink)
        assert metric(uplink, "session_fallbacks_total", reason="closed") == 0

    with_sessions(check)


def test_a_session_that_does_not_open_in_another_ones_place_holds_no_frame_up():
    async def check(cloud, uplink):
        camera = Camera(await opened(uplink))
        assert await camera.ask() == "right"
        cloud.refuses = "hang"
        await cloud.say(lambda connection: connection.go_away("drain"))
        async with asyncio.timeout(5):
            while not metric(uplink, "session_go_aways_total", reason="drain"):
                await asyncio.sleep(0.002)
        async with asyncio.timeout(5):  # the upgrade is given ten seconds
            assert await camera.ask() == "right"
            assert await camera.ask() == "right"
        assert len(cloud.frames) == 2

    with_sessions(check)
