"""Clouds that run other networks than the edge: left out, taken again, and which of them an edge follows."""

from __future__ import annotations

import asyncio
import logging

import pytest
from kits.several_clouds import OURS, Fleet, now, with_fleet
from kits.virtual_time import run

from edge.uplink.clouds.member import AWAY_S
from shared.errors import MismatchError, UplinkError

N2, N3 = "22" * 8, "33" * 8


def warnings(caplog):
    return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]


def test_a_cloud_with_another_network_is_left_out_said_once_counted_and_taken_again(caplog):
    async def check(fleet):
        other, line = fleet.each[1], fleet.lines[1]
        await fleet.load(1, 30)
        line.network, other.fails = N2, UplinkError("refused", "409 another network")
        said = await fleet.load(5, 30)
        assert set(said) == {fleet.lines[0].name, fleet.lines[2].name}
        _answered, failed, resent, tried = fleet.outcomes(1)
        assert (failed, tried) == (0, 0)
        assert 1 <= resent <= 2, "the first refusal is looked into at once"
        assert fleet.counted("left_out_total", cloud=line.name, reason="other_network") == 1
        assert fleet.counted("state", cloud=line.name, state="other_network") == 1
        told = [each for each in warnings(caplog) if each.startswith("left out")]
        assert told == [f"left out until that changes: the cloud at {line.name} runs {N2}"]
        line.network, other.fails = OURS, None
        said = await fleet.load(15, 30)
        assert line.name in said
        assert fleet.counted("state", cloud=line.name, state="closed") == 1

    with_fleet(check)


def test_the_start_ends_if_all_clouds_run_another_network_and_waits_for_none_that_is_away():
    async def go(networks, away):
        fleet = Fleet()
        for line, network, is_away in zip(fleet.lines, networks, away, strict=True):
            line.network, line.away = network, is_away
        async with fleet.clouds:
            try:
                await fleet.uplinks.check()
                fleet.uplinks.take_over()
                await asyncio.sleep(0.1)
                return [seat.joined for seat in fleet.uplinks._seats]
            finally:
                await fleet.uplinks.close()

    with pytest.raises(MismatchError) as caught:
        run(go([N2] * 3, [False] * 3))
    assert str(caught.value).splitlines() == [
        f"the cloud at http://cloud{n}:8881 runs {N2}" for n in range(3)
    ]
    assert run(go([N2, OURS, N2], [False] * 3)) == [False, True, False]
    assert run(go([N2] * 3, [False, False, True])) == [False] * 3, "the one that is away may be right"
    assert run(go([OURS] * 3, [True] * 3)) == [False] * 3, "the edge answers until one is there"


def test_most_clouds_decide_and_where_as_many_run_each_the_one_from_before():
    async def go():
        fleet = Fleet(4)
        heard, lines = fleet.clouds.heard, fleet.lines

        def named(*networks):
            for line, network in zip(lines, networks, strict=True):
                line.heard.note(network)
            return heard.fingerprint

        assert heard.fingerprint is None
        assert not heard.is_other_than(OURS)
        lines[2].heard.note(N2)
        assert heard.fingerprint == N2, "so far it is the only one"
        assert named(OURS, OURS, N2, N2) == N2, "as before"
        assert named(OURS, OURS, N2, N3) == OURS
        assert heard.is_other_than(N2)
        assert named(N2, OURS, N2, OURS) == OURS, "as before"
        assert named(N2, OURS, N2, N3) == N2
        assert named(N3, OURS, OURS, N3) == N3, "none is the one from before: that of the first cloud"
        return heard

    run(go())


def test_a_cloud_that_is_away_has_no_say():
    async def check(fleet):
        heard = fleet.clouds.heard
        for line in fleet.lines[1:]:
            line.away = True
            line.circuit.open("gone")
        fleet.lines[0].heard.note(N2)
        assert heard.fingerprint == OURS, "for a while a cloud that restarts still counts"
        await asyncio.sleep(AWAY_S + 1)
        assert heard.fingerprint == N2

    with_fleet(check)


def test_the_switch_is_told_when_most_clouds_have_changed():
    async def check(fleet):
        waiting = asyncio.create_task(fleet.clouds.heard.other_than(OURS))
        fleet.lines[0].heard.note(N2)
        await asyncio.sleep(0.1)
        assert not waiting.done()
        fleet.lines[2].heard.note(N2)
        assert await waiting == N2
        assert fleet.clouds.client_for(N2) is fleet.lines[0].client
        assert fleet.clouds.client_for(OURS) is fleet.lines[1].client
        assert fleet.clouds.client_for(N3) is fleet.lines[0].client
        fleet.lines[0].gives_bundle = False
        assert fleet.clouds.client_for(N2) is fleet.lines[2].client, "which gives it to edges"

    with_fleet(check)


def test_a_cloud_that_hangs_holds_up_nobody_who_asks_what_most_run():
    async def check(fleet):
        ended = []

        async def hangs(**_):
            try:
                await asyncio.sleep(3600)
            finally:
                ended.append("hangs")

        fleet.lines[0].ask_model = hangs
        start = now()
        assert (await fleet.clouds.ask_model())["fingerprint"] == OURS
        assert now() - start < 1.1
        assert ended == ["hangs"]
        for line in fleet.lines[1:]:
            line.away = True
        question = asyncio.create_task(fleet.clouds.ask_model())
        await asyncio.sleep(30)
        assert not question.done(), "it may be far away"
        question.cancel()
        await asyncio.gather(question, return_exceptions=True)
        assert ended == ["hangs"] * 2

    with_fleet(check)


def test_what_most_clouds_run_is_asked_of_all_of_them():
    async def check(fleet):
        fleet.lines[0].network = N2
        assert (await fleet.clouds.ask_model())["from"] == fleet.lines[1].name
        fleet.lines[1].away = True
        fleet.lines[2].network = N3
        assert (await fleet.clouds.ask_model())["fingerprint"] in (N2, N3)
        for line in fleet.lines:
            line.away = True
        start = now()
        with pytest.raises(UplinkError, match="no route"):
            await fleet.clouds.ask_model()
        assert now() - start < 0.01, "side by side"

    with_fleet(check)


def test_an_edge_that_follows_joins_the_others_as_they_come_to_its_network():
    async def check(fleet):
        line = fleet.lines[2]
        line.network = N2
        fleet.each[2].fails = UplinkError("refused", "409")
        await fleet.load(3, 30)
        assert fleet.counted("state", cloud=line.name, state="other_network") == 1
        line.network, fleet.each[2].fails = OURS, None
        await fleet.load(2, 30)
        assert line.circuit.is_closed

    with_fleet(check, follows=True)


def test_a_cloud_that_was_left_out_and_then_goes_away_is_no_mismatch_any_more():
    async def check(fleet):
        line, seat = fleet.lines[0], fleet.uplinks._seats[0]
        line.network, fleet.each[0].fails = N2, UplinkError("refused", "409")
        await fleet.load(2, 30)
        assert (seat.problem is not None, fleet.clouds.members[0].state) == (True, "other_network")
        line.away = True
        await asyncio.sleep(2)
        assert (seat.problem, fleet.clouds.members[0].state) == (None, "open")

    with_fleet(check)
