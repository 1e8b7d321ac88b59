"""Profiles that only some of several clouds have."""

from __future__ import annotations

import asyncio

from kits.several_clouds import with_fleet

from shared.errors import UplinkError


def test_frames_go_to_clouds_that_can_be_brought_the_profile_if_the_one_that_has_it_is_gone():
    async def check(fleet):
        profile = object()
        gone, line = fleet.each[0], fleet.lines[0]
        gone.profiles.add(profile)
        assert {await fleet.ask(profile) for _ in range(5)} == {line.name}
        gone.fails, line.away = UplinkError("unreachable", "refused"), True
        said = [await fleet.ask(profile) for _ in range(20)]
        assert line.circuit.is_open
        assert said[:3] == ["unreachable"] * 3, "until its circuit opened"
        assert set(said[3:]) == {fleet.lines[1].name, fleet.lines[2].name}

    with_fleet(check)


def test_without_any_cloud_the_one_that_has_the_profile_is_tried():
    async def check(fleet):
        profile = object()
        fleet.each[2].profiles.add(profile)
        for line in fleet.lines:
            line.circuit.open("away")
            line.circuit.probe_answered(well=True)
        assert await fleet.ask(profile) == fleet.lines[2].name

    with_fleet(check)


def test_clouds_that_lack_a_profile_are_brought_it_while_another_answers():
    async def check(fleet):
        profile = object()
        fleet.each[0].profiles.add(profile)
        fleet.each[1].takes_profiles = True
        assert await fleet.ask(profile) == fleet.lines[0].name
        await asyncio.sleep(0.1)
        said = []
        for _ in range(100):
            said.append(await fleet.ask(profile))
            await asyncio.sleep(0.9)
        assert set(said) == {fleet.lines[0].name, fleet.lines[1].name}
        assert len(fleet.each[1].brought) == 1
        assert 3 <= len(fleet.each[2].brought) <= 4, (
            "one that refuses it is offered it again each half minute"
        )

    with_fleet(check)
