"""How the edge brings its profile to the cloud, and what its frames wait for meanwhile."""

from __future__ import annotations

import asyncio

import pytest
from kits.keeping import MISSING, PATH, PROFILE, Keeping, check_with, told
from kits.uplink import FRAME, HERE, metric, refusal, with_cloud

from edge.uplink.circuit import State


def test_it_is_there_before_the_first_frame(caplog):
    async def check(cloud, _keeping, uplink):
        await uplink.check()
        assert cloud.uploads == [(PATH, PROFILE.data)]
        assert metric(uplink, "profile_uploads_total") == 1
        await uplink.ask(FRAME, PROFILE)
        assert len(cloud.frames) == 1
        assert metric(uplink, "uplink_bytes_total") == len(FRAME), "a profile is no frame"

    check_with(check)
    assert told(caplog) == []


def test_a_cloud_that_lists_it_is_not_brought_it():
    async def check(cloud, keeping, uplink):
        keeping.names.add(PROFILE.name)
        await uplink.check()
        await uplink.ask(FRAME, PROFILE)
        assert cloud.uploads == []

    check_with(check)


@pytest.mark.parametrize("listed", [None, 7, "x" + PROFILE.name, {PROFILE.name: 1}, [], [None, 7]], ids=str)
def test_a_list_that_does_not_name_it(listed):
    async def check(cloud, _keeping, uplink):
        cloud.model = HERE | {"profiles": listed}
        await uplink.check()
        assert len(cloud.uploads) == 1

    check_with(check)


def test_an_edge_without_a_profile_brings_none():
    async def check(cloud, uplink):
        keeping = Keeping(cloud)
        await uplink.check()
        assert said(await refusal(uplink)) == ("profile", "424 not here")
        keeping.names.add(PROFILE.name)
        await uplink.ask(FRAME)
        assert cloud.uploads == []

    with_cloud(check)


def said(error):
    return error.reason, str(error)


@pytest.mark.usefixtures("impatient")
def test_after_a_reconnect_it_is_there_before_the_trial_frame():
    async def check(cloud, keeping, uplink):
        await uplink.check()
        cloud.answer = (503, {})
        while uplink.circuit.state is State.CLOSED:
            await refusal(uplink, PROFILE)
        keeping.forget()
        cloud.answer = keeping.answer
        sent = len(cloud.frames)
        while uplink.circuit.state is not State.HALF_OPEN:
            await asyncio.sleep(0.002)
        assert len(cloud.uploads) == 2
        await uplink.ask(FRAME, PROFILE)
        assert uplink.circuit.state is State.CLOSED
        assert len(cloud.frames) == sent + 1, "no frame was sent in vain"

    check_with(check)


@pytest.mark.usefixtures("impatient")
def test_while_the_circuit_is_open_no_frame_waits_for_an_upload():
    async def check(cloud, keeping, uplink):
        uplink.circuit.open("as the test says")
        keeping.go_on.clear()
        while not cloud.uploads:
            await asyncio.sleep(0.002)
        for _ in range(3):
            assert (await asyncio.wait_for(refusal(uplink, PROFILE), 60)).reason == "circuit_open"
        keeping.go_on.set()
        while uplink.circuit.state is not State.HALF_OPEN:
            await asyncio.sleep(0.002)
        await uplink.ask(FRAME, PROFILE)
        assert len(cloud.uploads) == 1

    check_with(check, deadline_s=60.0)


def test_a_cloud_that_forgot_it_costs_one_upload_and_no_frame(caplog):
    async def check(cloud, keeping, uplink):
        for _ in range(5):  # restarts
            keeping.forget()
            await uplink.ask(FRAME, PROFILE)
            assert uplink.circuit.state is State.CLOSED
        assert metric(uplink, "profile_uploads_total") == len(cloud.uploads) == 5
        assert len(cloud.frames) == 10

    check_with(check)
    assert told(caplog) == []


def test_many_frames_in_flight_bring_it_once():
    async def check(cloud, keeping, uplink):
        everyone = asyncio.Event()

        async def all_at_once(request):
            if len(cloud.frames) == 4:
                everyone.set()
            await everyone.wait()
            return await keeping.answer(request)

        cloud.answer = all_at_once
        keeping.go_on.clear()
        asks = [asyncio.create_task(uplink.ask(FRAME, PROFILE)) for _ in range(4)]
        while not cloud.uploads:
            await asyncio.sleep(0.002)
        asks += [
            asyncio.create_task(uplink.ask(FRAME, PROFILE)) for _ in range(2)
        ]  # these wait before they are sent
        await asyncio.sleep(0.02)
        assert len(cloud.frames) == 4
        keeping.go_on.set()
        await asyncio.gather(*asks)
        assert len(cloud.uploads) == 1
        assert len(cloud.frames) == 4 + 4 + 2

    check_with(check, in_flight=6)


def test_an_answer_that_comes_after_the_upload_of_another_frame_asks_for_no_second_one():
    async def check(cloud, keeping, uplink):
        held, seen = asyncio.Event(), []

        async def first_is_held(request):
            seen.append(request)
            if len(seen) == 1:
                await held.wait()
                return await cloud._respond(MISSING, request)  # as it was when the frame came
            return await keeping.answer(request)

        cloud.answer = first_is_held
        slow = asyncio.create_task(uplink.ask(FRAME, PROFILE))
        while not seen:
            await asyncio.sleep(0.001)
        await uplink.ask(FRAME, PROFILE)
        held.set()
        await slow
        assert len(cloud.uploads) == 1

    check_with(check)


def test_a_frame_is_sent_again_once_only(caplog):
    """A cloud in which others push this profile out at once, or that only says so: it does not cost an upload each frame."""

    async def check(cloud, _keeping, uplink):
        cloud.answer = MISSING
        for _ in range(5):
            assert (await refusal(uplink, PROFILE)).reason == "profile"
            assert (len(cloud.frames), len(cloud.uploads)) == (2, 1)
        assert uplink.circuit.state is State.CLOSED

    check_with(check)
    (line,) = told(caplog)
    assert "it was taken, and is not there when its frame comes" in line


def test_after_the_pause_one_frame_tries_again(no_pause):
    async def check(cloud, _keeping, uplink):
        cloud.answer = MISSING
        for number in range(1, 4):
            assert (await refusal(uplink, PROFILE)).reason == "profile"
            assert (len(cloud.frames), len(cloud.uploads)) == (2 * number, number)

    check_with(check)


def test_a_long_upload_is_waited_for_as_long_as_a_frame_may_and_goes_on(caplog):
    async def check(cloud, keeping, uplink):
        keeping.go_on.clear()
        errors = await asyncio.gather(*(refusal(uplink, PROFILE) for _ in range(4)))
        assert {error.reason for error in errors} == {"profile"}
        sent = len(cloud.frames)
        upload = uplink._uploads.of(PROFILE)
        uplink._line.deadline_s = upload._patience_s = 1000.0
        upload._started -= 1000.0
        for _ in range(20):  # these come later: none is sent, and none waits
            assert (await asyncio.wait_for(refusal(uplink, PROFILE), 60)).reason == "profile"
        assert len(cloud.frames) == sent
        assert uplink.circuit.state is State.CLOSED
        keeping.go_on.set()
        while not metric(uplink, "profile_uploads_total"):
            await asyncio.sleep(0.002)
        await uplink.ask(FRAME, PROFILE)
        assert len(cloud.uploads) == 1

    check_with(check, deadline_s=1.0)
    assert told(caplog) == []


def test_time_that_the_upload_took_is_not_held_against_the_cloud():
    async def check(cloud, keeping, uplink):
        async def slow_after_the_upload(request):
            if keeping.names:
                return await cloud.never(request)
            return await keeping.answer(request)

        cloud.answer = slow_after_the_upload
        for _ in range(5):
            keeping.forget()
            assert (await refusal(uplink, PROFILE)).reason == "profile"
        assert uplink.circuit.state is State.CLOSED
        # Now nothing is brought, and late is late.
        assert (await refusal(uplink, PROFILE)).reason == "late"
        assert uplink.circuit.state is State.OPEN

    check_with(check, deadline_s=0.5)


def test_an_upload_under_way_at_the_end_is_ended():
    async def check(cloud, keeping, uplink):
        keeping.go_on.clear()
        asked = asyncio.create_task(uplink.ask(FRAME, PROFILE))
        while not cloud.uploads:
            await asyncio.sleep(0.002)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        cloud.for_ever.set()

    check_with(check)
