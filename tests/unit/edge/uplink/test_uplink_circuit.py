"""The circuit before the uplink: frames while it is open, and the probes that find out when the cloud is back."""

from __future__ import annotations

import asyncio

import pytest
from kits.uplink import FRAME, GOOD, HERE, metric, refusal, short, with_cloud

from edge.uplink.circuit import State


def test_an_open_circuit_asks_nobody():
    async def check(cloud, uplink):
        cloud.answer = (503, {})
        reasons = [(await refusal(uplink)).reason for _ in range(6)]
        assert reasons == ["busy"] * 3 + ["circuit_open"] * 3
        assert len(cloud.frames) == 3
        assert metric(uplink, "circuit_state", state="open") == 1

    with_cloud(check)


def test_a_frame_that_is_given_up_is_no_failure():
    async def check(cloud, uplink):
        cloud.answer = cloud.never
        for _ in range(5):
            task = asyncio.create_task(uplink.ask(FRAME))
            while not cloud.frames:
                await asyncio.sleep(0.001)
            cloud.frames.clear()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert uplink.circuit.state is State.CLOSED

    with_cloud(check)


async def until(uplink, state):
    while uplink.circuit.state is not state:
        await asyncio.sleep(0.002)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "away", [(503, {}), (500, b"<html>"), (200, b"[" * 100_000), HERE | {"fingerprint": "00"}], ids=short
)
def test_a_probe_finds_out_when_the_cloud_is_back(away):
    async def check(cloud, uplink):
        probes = 0

        async def still_away(request):
            nonlocal probes
            probes += 1
            return await cloud._respond(away, request)

        cloud.model, cloud.answer = still_away, (503, {})
        while uplink.circuit.state is State.CLOSED:
            await refusal(uplink)
        while probes < 3:
            await asyncio.sleep(0.002)
        assert uplink.circuit.state is State.OPEN
        cloud.model, cloud.answer = HERE, GOOD
        await until(uplink, State.HALF_OPEN)
        await uplink.ask(FRAME)
        assert uplink.circuit.state is State.CLOSED
        assert len(cloud.frames) == 4, "no frame paid for the probes"

    with_cloud(check)


@pytest.mark.usefixtures("impatient")
def test_a_probe_that_is_under_way_at_the_end_is_ended():
    async def check(cloud, uplink):
        asked = asyncio.Event()

        async def never(request):
            asked.set()
            return await cloud.never(request)

        cloud.model = never
        uplink.circuit.open("as the test says")
        await asked.wait()

    with_cloud(check)


@pytest.mark.usefixtures("impatient")
def test_a_failed_trial_opens_it_again():
    async def check(cloud, uplink):
        cloud.answer = (422, {"error": "no"})
        while uplink.circuit.state is State.CLOSED:
            await refusal(uplink)
        await until(uplink, State.HALF_OPEN)
        assert (await refusal(uplink)).reason == "refused"
        assert uplink.circuit.state is State.OPEN

    with_cloud(check)


def test_who_is_under_way_when_the_circuit_opens_does_not_wait_for_the_deadline():
    async def check(cloud, uplink):
        cloud.answer = cloud.never
        asked = [asyncio.create_task(refusal(uplink)) for _ in range(3)]
        while len(cloud.frames) < 3:
            await asyncio.sleep(0.002)
        uplink.circuit.open("as the test says")
        reasons = {error.reason for error in await asyncio.wait_for(asyncio.gather(*asked), 60)}
        assert reasons == {"circuit_open"}

    with_cloud(check, deadline_s=60.0)


@pytest.mark.usefixtures("impatient")
def test_a_cloud_that_changed_while_it_was_away_is_named_once_not_at_every_probe(caplog):
    async def check(cloud, uplink):
        probes = 0

        async def changed(request):
            nonlocal probes
            probes += 1
            return await cloud._respond(HERE | {"fingerprint": "00" * 8}, request)

        cloud.model = changed
        uplink.circuit.open("for this test")
        while probes < 3:
            await asyncio.sleep(0.002)
        assert uplink.circuit.state is State.OPEN

    with_cloud(check)
    told = [
        record
        for record in caplog.records
        if "give both the same --model and --weights" in record.getMessage()
    ]
    assert [record.levelname for record in told] == ["WARNING"]
