"""Frames shared out among several clouds: slow ones, ones that die, come back, or refuse. In virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter

from kits.several_clouds import QUESTION, with_fleet

from edge.uplink.clouds.choosing.ramp import FIRST_SHARE, RAMP_S
from shared.errors import UplinkError


def shares(fleet):
    return [each.frames for each in fleet.each]


def test_alike_clouds_answer_alike_numbers():
    async def check(fleet):
        said = await fleet.load(10, 30)
        assert set(said) == {line.name for line in fleet.lines}
        assert all(80 <= count <= 120 for count in shares(fleet)), shares(fleet)
        assert [fleet.outcomes(number) for number in range(3)] == [
            (count, 0, 0, 0) for count in shares(fleet)
        ]

    with_fleet(check)


def test_a_slow_cloud_gets_few_frames_and_is_found_to_be_fast_again():
    async def check(fleet):
        await fleet.load(5, 30)
        fleet.each[1].takes_s = 0.3
        before = shares(fleet)
        await fleet.load(20, 30)
        got = [now - then for now, then in zip(shares(fleet), before, strict=True)]
        assert got[1] < 0.1 * sum(got), got
        assert got[1] >= 1, "it is still tried"
        fleet.each[1].takes_s = 0.02
        await fleet.load(60, 30)
        before = shares(fleet)
        await fleet.load(10, 30)
        assert shares(fleet)[1] - before[1] > 60, "and it was found out that it is fast again"
        assert not [said for said, _ in fleet.answers if not said.startswith("http")]

    with_fleet(check)


def test_frames_under_way_at_a_cloud_that_dies_are_answered_by_another():
    async def check(fleet):
        await fleet.load(3, 60)
        victim = fleet.each[0]
        victim.fails = UplinkError("unreachable", "refused")
        said = await fleet.load(3, 60)
        assert Counter(said).keys() == {fleet.lines[1].name, fleet.lines[2].name}, "none by the edge"
        _answered, failed, resent, _tried = fleet.outcomes(0)
        assert (failed, resent) == (0, 3), "until its circuit opened"
        assert fleet.lines[0].circuit.is_open
        assert fleet.counted("left_out_total", cloud=fleet.lines[0].name, reason="circuit_open") == 1
        assert fleet.counted("state", cloud=fleet.lines[0].name, state="open") == 1
        assert fleet.clouds.circuit.is_closed
        assert max(took_s for _, took_s in fleet.answers) < 0.1

    with_fleet(check)


def test_a_cloud_that_hangs_costs_its_frames_a_part_of_their_deadline():
    async def check(fleet):
        await fleet.load(3, 30)
        fleet.each[2].hangs = True
        said = await fleet.load(5, 30)
        assert Counter(said).keys() == {fleet.lines[0].name, fleet.lines[1].name}
        late = [took_s for _, took_s in fleet.answers if took_s > 0.1]
        assert 1 <= len(late) <= 5, "others are not sent after the first, as that one's age counts"
        assert max(late) < QUESTION.deadline_s
        assert not fleet.lines[2].circuit.is_closed, (
            "nothing came back, so that the others were let go at once"
        )

    with_fleet(check)


def test_a_frame_is_sent_no_more_than_twice():
    async def check(fleet):
        for each in fleet.each:
            each.fails = UplinkError("refused", "400 no")
        assert await fleet.ask() == "refused"
        assert sum(shares(fleet)) == 2
        outcomes = sorted(fleet.outcomes(number) for number in range(3))
        assert outcomes == [(0, 0, 0, 0), (0, 0, 1, 0), (0, 1, 0, 0)]

    with_fleet(check)


def test_a_frame_without_time_left_is_not_sent_again():
    async def check(fleet):
        slow = fleet.each[0]
        slow.hangs = True
        fleet.lines[1].circuit.open("away")  # so that there is no other, and it is waited for to the end
        fleet.lines[1].away = True
        assert await fleet.ask() == "late"
        assert fleet.answers[-1][1] == QUESTION.deadline_s

    with_fleet(check, 2)


def test_there_is_a_budget_for_sending_twice():
    async def check(fleet):
        for each in fleet.each:
            each.takes_s = 10.0  # overload: everything is late everywhere
        await fleet.load(20, 4)
        resent = sum(fleet.outcomes(number)[2] for number in range(3))
        assert resent <= 10 + 0.2 * 80

    with_fleet(check)


def test_without_any_cloud_the_edge_answers_at_once_until_one_is_back():
    async def check(fleet):
        for line, each in zip(fleet.lines, fleet.each, strict=True):
            each.fails = UplinkError("unreachable", "refused")
            line.away = True
        said = await fleet.load(3, 30)
        assert said[-1] == "circuit_open"
        assert fleet.clouds.circuit.is_open
        assert fleet.metrics.registry.get_sample_value("splitdnn_edge_circuit_state", {"state": "open"}) == 1
        fleet.each[1].fails, fleet.lines[1].away = None, False
        await asyncio.sleep(1)
        assert fleet.clouds.circuit.is_half_open
        assert not fleet.clouds.circuit.is_open
        assert await fleet.ask() == fleet.lines[1].name, "the trial"
        assert fleet.clouds.circuit.is_closed
        assert set(await fleet.load(1, 30)) == {fleet.lines[1].name}, "alone it gets all of them at once"

    with_fleet(check)


def test_a_cloud_that_comes_back_is_tried_with_a_copy_and_gets_a_share_that_grows():
    async def check(fleet):
        await fleet.load(2, 60)
        back, line = fleet.each[0], fleet.lines[0]
        back.fails, line.away = UplinkError("unreachable", "refused"), True
        await fleet.load(3, 60)
        back.fails, line.away, back.takes_s = (
            None,
            False,
            0.001,
        )  # the fastest of all, were it not for its share
        before, begun = back.frames, len(back.times)
        said = await fleet.load(RAMP_S + 10, 60)
        assert "circuit_open" not in said, "its trial cost no frame anything"
        assert fleet.outcomes(0)[3] == 1
        times = back.times[begun + 1 :]
        seconds = Counter(int(time - times[0]) for time in times)
        assert seconds[0] <= 2 + FIRST_SHARE * 60 * 1.1, "at first a tenth"
        for second in range(1, int(RAMP_S)):
            assert seconds[second] <= 3 + 60 * (second + 1) / RAMP_S, (second, seconds)
        assert seconds[int(RAMP_S) + 5] > seconds[1], seconds
        assert back.frames > before

    with_fleet(check)


def test_a_trial_that_fails_is_known_to_the_cloud_only():
    async def check(fleet):
        fleet.each[0].fails = UplinkError("late", "hangs, but says that it is there")
        said = await fleet.load(10, 30)
        assert set(said) == {fleet.lines[1].name, fleet.lines[2].name}
        assert fleet.outcomes(0)[3] >= 3, "one after each half second"
        assert fleet.outcomes(0)[:2] == (0, 0)

    with_fleet(check)


def test_a_busy_cloud_is_left_alone_for_as_long_as_it_asks():
    async def check(fleet):
        await fleet.load(1, 30)
        busy = UplinkError("busy", "429")
        busy.retry_after_s = 3
        fleet.each[0].fails = busy
        before = fleet.each[0].frames
        said = await fleet.load(2, 30)
        assert set(said) == {fleet.lines[1].name, fleet.lines[2].name}
        assert 1 <= fleet.each[0].frames - before <= 3
        assert fleet.lines[0].circuit.is_closed
        assert fleet.counted("state", cloud=fleet.lines[0].name, state="paused") == 1
        fleet.each[0].fails = None
        await asyncio.sleep(3)
        before = fleet.each[0].frames
        await fleet.load(2, 30)
        assert fleet.each[0].frames > before

    with_fleet(check)


def test_a_storm_of_429_ends_at_the_edge_and_not_in_more_requests():
    async def check(fleet):
        for each in fleet.each:
            each.fails = UplinkError("busy", "429")
        said = await fleet.load(5, 30)
        assert set(said) <= {"busy", "circuit_open"}
        assert sum(shares(fleet)) < 60, "of 150 frames"
        for each in fleet.each:
            each.fails = None
        await asyncio.sleep(1)
        await fleet.load(3, 30)
        assert set(await fleet.load(3, 30)) == {line.name for line in fleet.lines}

    with_fleet(check)


def test_frames_go_where_they_can_be_answered():
    async def check(fleet):
        fleet.each[0].split_points, fleet.each[1].codecs = {"layer4"}, {99}
        assert set(await fleet.load(2, 30)) == {fleet.lines[2].name}
        assert fleet.uplinks.can_answer("layer4", None)
        fleet.each[2].split_points = {"layer2"}
        assert not fleet.uplinks.can_answer("layer3", None)
        profile = object()
        for each in fleet.each:
            each.split_points = each.codecs = None
        fleet.each[1].profiles.add(profile)
        assert {await fleet.ask(profile) for _ in range(20)} == {fleet.lines[1].name}
        fleet.each[1].profiles.clear()
        assert {await fleet.ask(profile) for _ in range(20)} == {line.name for line in fleet.lines}, (
            "to bring it"
        )

    with_fleet(check)


def test_what_is_known_of_each_cloud_is_said():
    async def check(fleet):
        await fleet.load(1, 30)
        fleet.lines[1].circuit.open("no route")
        said = fleet.clouds.said()
        assert [each["cloud"] for each in said] == [line.name for line in fleet.lines]
        assert [each["state"] for each in said] == ["closed", "open", "closed"]
        assert {each["under_way"] for each in said} == {0}
        assert 10 < said[0]["expected_ms"] < 40

    with_fleet(check)
