"""A cloud that refuses the edge's profile, or goes away while it is brought."""

from __future__ import annotations

import asyncio
import time

import pytest
from kits.keeping import PROFILE, check_with, told
from kits.uplink import FRAME, metric, refusal

from edge.uplink.circuit import State
from edge.uplink.profiles import upload as profiles


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"error": "no such path"}),
        (405, {"error": "no such method"}),
        (409, {"error": "this profile is of another network"}),
        (413, {"error": "a body of 5 bytes"}),
        (422, {"error": "not a profile"}),
        (400, b"<html>"),
        (204, b""),
        (200 + 3, b"[" * 100_000),
        (409, b" " * (2 << 20)),
    ],
    ids=lambda each: f"{each!r}"[:30],
)
def test_a_refusal_is_told_once_and_no_frame_is_sent_in_vain(status, body, caplog):
    async def check(cloud, _keeping, uplink):
        cloud.put = (status, body)
        await uplink.check()
        for _ in range(10):
            assert (await refusal(uplink, PROFILE)).reason == "profile"
        assert (len(cloud.frames), len(cloud.uploads)) == (0, 1)
        assert uplink.circuit.state is State.CLOSED
        assert metric(uplink, "profile_uploads_total") == 0

    check_with(check)
    (line,) = told(caplog)
    assert PROFILE.name in line
    words = body["error"] if isinstance(body, dict) else "longer than" if len(body) > 1 << 20 else str(status)
    assert words in line
    assert "tries again after 30 s" in line


def test_a_refusal_of_a_frames_upload_reaches_all_that_wait_and_one_later_frame_tries_again(caplog, no_pause):
    async def check(cloud, _keeping, uplink):
        go_on = asyncio.Event()

        async def refuse(request):
            await go_on.wait()
            return await cloud._respond((409, {"error": "another network"}), request)

        cloud.put = refuse
        asks = [asyncio.create_task(refusal(uplink, PROFILE)) for _ in range(4)]
        while len(cloud.frames) < 4 or not cloud.uploads:
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.02)
        go_on.set()
        errors = await asyncio.gather(*asks)
        assert {(error.reason, str(error)) for error in errors} == {("profile", "409 another network")}
        assert len(cloud.uploads) == 1
        for _ in range(5):  # after the pause, which is none here
            assert (await refusal(uplink, PROFILE)).reason == "profile"
        assert len(cloud.uploads) == 6
        assert uplink.circuit.state is State.CLOSED

    assert no_pause is None
    check_with(check)
    assert len(told(caplog)) == 1, "the same words are told once"


def test_a_cloud_that_takes_it_after_all(no_pause, caplog):
    async def check(cloud, keeping, uplink):
        cloud.put = (422, {"error": "no"})
        await uplink.check()
        assert (await refusal(uplink, PROFILE)).reason == "profile"
        cloud.put = keeping.put
        await uplink.ask(FRAME, PROFILE)
        keeping.forget()
        cloud.put = (422, {"error": "no"})
        assert (await refusal(uplink, PROFILE)).reason == "profile"

    assert no_pause is None
    check_with(check)
    assert len(told(caplog)) == 2, "told again, as it was taken in between"


@pytest.mark.usefixtures("impatient")
def test_a_reconnect_ends_the_pause():
    async def check(cloud, keeping, uplink):
        cloud.put = (422, {"error": "no"})
        await uplink.check()
        cloud.put = keeping.put
        assert (await refusal(uplink, PROFILE)).reason == "profile"
        uplink.circuit.open("as the test says")
        while uplink.circuit.state is not State.HALF_OPEN:
            await asyncio.sleep(0.002)
        await uplink.ask(FRAME, PROFILE)
        assert uplink.circuit.state is State.CLOSED

    check_with(check)


@pytest.mark.usefixtures("impatient")
def test_a_refusal_is_no_reason_to_think_that_the_cloud_is_away():
    async def check(cloud, _keeping, uplink):
        cloud.put = (422, {"error": "no"})
        uplink.circuit.open("as the test says")
        while uplink.circuit.state is not State.HALF_OPEN:
            await asyncio.sleep(0.002)
        assert (await refusal(uplink, PROFILE)).reason == "profile"

    check_with(check)


@pytest.mark.parametrize(
    ("put", "reason"), [((503, {}), "busy"), ((502, b"<html>"), "unreachable"), ("cut", "unreachable")]
)
def test_an_upload_that_fails_otherwise_is_a_cloud_that_is_away(put, reason):
    async def check(cloud, _keeping, uplink):
        cloud.put = cloud.cut if put == "cut" else put
        reasons = []
        while uplink.circuit.state is State.CLOSED:
            reasons.append((await refusal(uplink, PROFILE)).reason)
            while time.monotonic() < uplink._uploads.of(PROFILE)._paused_until:  # as long as the upload took
                await asyncio.sleep(0.002)
        assert reasons == [reason] * 3

    check_with(check)


@pytest.mark.parametrize("put", [(503, {}), "cut"], ids=str)
def test_a_cloud_that_goes_away_during_the_first_upload_opens_the_circuit(put):
    async def check(cloud, _keeping, uplink):
        cloud.put = cloud.cut if put == "cut" else put
        await uplink.check()
        assert uplink.circuit.state is State.OPEN

    check_with(check)


def test_an_upload_that_takes_too_long_is_not_begun_again_at_once(monkeypatch, caplog):
    monkeypatch.setattr(profiles, "transfer_s", lambda _size: 0.1)

    async def check(cloud, keeping, uplink):
        keeping.go_on.clear()
        await uplink.check()
        for _ in range(5):
            assert (await refusal(uplink, PROFILE)).reason == "profile"
        assert (len(cloud.frames), len(cloud.uploads)) == (0, 1)
        keeping.go_on.set()

    check_with(check)
    (line,) = told(caplog)
    assert "no answer within 0.1 s" in line
