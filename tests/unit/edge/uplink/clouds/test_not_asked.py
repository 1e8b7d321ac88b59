"""A cloud that is still brought its profiles gets no frames, and nobody is told otherwise."""

from __future__ import annotations

import asyncio

import pytest
from kits.several_clouds import OURS, Fleet
from kits.uplink import with_cloud
from kits.virtual_time import run

from shared.errors import UplinkError

UPLOAD_S = 30.0


def with_uploads(check, *slow):
    """Run `check(fleet)` with three clouds, of which those of these numbers are brought profiles for a while when they are greeted."""

    async def go():
        fleet = Fleet()
        for number in slow:
            fleet.each[number].uploads_s = UPLOAD_S
        async with fleet.clouds:
            checking = asyncio.create_task(fleet.uplinks.check())
            await asyncio.sleep(0.1)
            await check(fleet, checking)
            await fleet.uplinks.close()

    run(asyncio.wait_for(go(), 1000), grace_s=0.0)


def states(fleet):
    """What `/clouds` and the metrics say, which is the same."""
    said = [each["state"] for each in fleet.clouds.said()]
    for line, state in zip(fleet.lines, said, strict=True):
        assert fleet.counted("state", cloud=line.name, state=state) == 1
        assert (
            sum(fleet.counted("state", cloud=line.name, state=each) for each in ("not_asked", "closed")) <= 1
        )
    return said


def circuit(fleet):
    names = ("closed", "open", "half_open")
    value = fleet.metrics.registry.get_sample_value
    (held,) = [each for each in names if value("splitdnn_edge_circuit_state", {"state": each})]
    assert held == next(each for each in names if getattr(fleet.uplinks.circuit, f"is_{each}"))
    return held


def test_a_cloud_whose_profiles_are_on_their_way_is_not_closed():
    async def check(fleet, checking):
        await checking
        assert states(fleet) == ["not_asked"] * 3, "no frame was sent yet"
        fleet.uplinks.take_over()
        assert states(fleet) == ["closed", "not_asked", "closed"]
        assert set(await fleet.load(3, 30)) == {fleet.lines[0].name, fleet.lines[2].name}
        assert states(fleet)[1] == "not_asked"
        await asyncio.sleep(UPLOAD_S)
        assert states(fleet) == ["closed"] * 3
        assert fleet.lines[1].name in await fleet.load(3, 30)

    with_uploads(check, 1)


def test_where_the_only_cloud_left_is_not_asked_yet_no_cloud_is_asked(caplog):
    async def check(fleet, checking):
        await checking
        fleet.uplinks.take_over()
        assert circuit(fleet) == "closed"
        fleet.lines[0].away = True
        for number in (0, 2):
            fleet.lines[number].circuit.open("no route")
        fleet.lines[2].away = True
        assert states(fleet) == ["open", "not_asked", "open"]
        assert circuit(fleet) == "open"
        assert await fleet.ask() == "circuit_open"
        assert caplog.text.count("no cloud is left to ask") == 1
        await asyncio.sleep(UPLOAD_S)
        assert circuit(fleet) == "closed"
        assert await fleet.ask() == fleet.lines[1].name
        fleet.lines[1].circuit.open("no route")
        assert caplog.text.count("no cloud is left to ask") == 2, "once each time"

    with_uploads(check, 1)


def test_while_the_only_cloud_left_is_tried_the_one_that_is_not_asked_does_not_count():
    async def check(fleet, checking):
        await checking
        fleet.uplinks.take_over()
        for number in (0, 2):
            fleet.lines[number].circuit.open("no route")
        fleet.lines[2].away = True
        fleet.lines[0].circuit.probe_answered(well=True)
        assert states(fleet) == ["half_open", "not_asked", "open"]
        assert circuit(fleet) == "half_open"
        assert await fleet.ask() == fleet.lines[0].name
        assert circuit(fleet) == "closed"

    with_uploads(check, 1)


def test_where_the_only_cloud_left_changes_its_network_it_is_told_that_no_cloud_is_asked(caplog):
    async def check(fleet, checking):
        await checking
        fleet.uplinks.take_over()
        told, last = [], fleet.lines[1]
        fleet.clouds.circuit.on_change = lambda _before, now: told.append(now.value)
        for number in (0, 2):
            fleet.lines[number].away = True
            fleet.lines[number].circuit.open("no route")
        last.network = "another"
        for _ in range(2):
            with pytest.raises(UplinkError):
                await last.greet()
        assert circuit(fleet) == "open"
        assert told == ["open"]
        assert caplog.text.count("no cloud is left to ask") == 1
        last.network = OURS
        await last.greet()
        assert circuit(fleet) == "closed"
        assert told == ["open", "closed"]

    with_uploads(check)


def test_nothing_is_open_before_anything_has_failed():
    async def check(fleet, checking):
        assert states(fleet) == ["not_asked"] * 3
        assert circuit(fleet) == "closed"
        assert not checking.done()
        await asyncio.sleep(UPLOAD_S)
        await checking

    with_uploads(check, 0, 1, 2)


def test_an_only_cloud_is_not_asked_before_its_greeting_either():
    async def check(_cloud, uplink):
        assert [each["state"] for each in uplink._line.said()] == ["not_asked"]
        await uplink.check()
        assert [each["state"] for each in uplink._line.said()] == ["closed"]
        uplink.circuit.open("no route")
        assert [each["state"] for each in uplink._line.said()] == ["open"]

    with_cloud(check)
