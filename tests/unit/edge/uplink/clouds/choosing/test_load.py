"""What one more frame is expected to take, the share of a cloud that is back, and how many frames are sent twice."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
from kits.link import Clock

from edge.uplink.clouds.choosing.budget import Budget
from edge.uplink.clouds.choosing.choice import choose
from edge.uplink.clouds.choosing.load import START_S, Load
from edge.uplink.clouds.choosing.ramp import FIRST_SHARE, RAMP_S, Ramp


def answered(load, clock, *seconds):
    for each in seconds:
        number = load.sent()
        clock.now += each
        assert load.answered(number) == pytest.approx(each)


def test_the_expectation_follows_the_answers_and_what_is_under_way():
    clock = Clock()
    load = Load(clock)
    assert load.expected_s == START_S
    answered(load, clock, *[0.1] * 5)
    assert load.expected_s == pytest.approx(0.1, rel=0.1)
    number = load.sent()
    assert load.expected_s == pytest.approx(0.2, rel=0.1)
    load.sent()
    assert load.expected_s == pytest.approx(0.3, rel=0.1)
    load.gave_up(number)
    assert load.under_way == 1
    answered(load, clock, *[0.5] * 10)
    assert load.expected_s > 0.9, "half a second, and one is under way"


def test_the_age_of_what_is_under_way_counts_before_its_answer():
    clock = Clock()
    load = Load(clock)
    answered(load, clock, *[0.1] * 5)
    load.sent()
    clock.now += 1.0
    assert load.expected_s == pytest.approx(2.0)


def test_what_nothing_confirms_fades_and_one_answer_is_enough_to_correct_it():
    clock = Clock()
    load = Load(clock)
    answered(load, clock, *[1.0] * 5)
    before = load.expected_s
    clock.now += 30
    assert load.expected_s < 0.01 * before
    answered(load, clock, 0.02)
    assert load.expected_s < 0.03
    clock.now += 30
    answered(load, clock, 1.0)
    assert load.expected_s > 0.25


def test_a_frame_that_was_waited_for_in_vain_counts_and_one_that_was_refused_does_not():
    clock = Clock()
    load = Load(clock)
    answered(load, clock, *[0.1] * 5)
    for late in (False, True):
        number, before = load.sent(), load.expected_s
        clock.now += 0.001 if not late else 1.5
        load.gave_up(number, late=late)
        assert (load.expected_s > before) == late
    load.forget()
    assert load.expected_s < 2 * START_S


def test_of_two_that_are_drawn_the_one_that_is_sooner():
    clock = Clock()
    clouds = [SimpleNamespace(load=Load(clock), ramp=Ramp(clock), is_paused=False) for _ in range(3)]
    for cloud, seconds in zip(clouds, (0.3, 0.1, 0.2), strict=True):
        answered(cloud.load, clock, *[seconds] * 5)
    drawn = []

    def draw(which):
        return lambda seen, _: drawn.append(list(seen)) or [clouds[number] for number in which]

    assert choose(clouds, draw((0, 2))) is clouds[2]
    assert choose(clouds, draw((2, 0))) is clouds[2]
    assert choose(clouds, draw((1, 2))) is clouds[1]
    clouds[1].is_paused = True
    assert choose(clouds, draw((0, 2))) is clouds[2]
    assert drawn[-1] == [clouds[0], clouds[2]], "not the one that asks to be left alone"
    for cloud in clouds:
        cloud.is_paused = True
    assert choose(clouds, draw((0, 1))) is clouds[1], "unless all do"
    assert choose(clouds[:1], draw(())) is clouds[0]


def test_a_cloud_that_is_back_gets_its_share_only():
    clock = Clock()
    back, other = (SimpleNamespace(load=Load(clock), ramp=Ramp(clock), is_paused=False) for _ in range(2))
    answered(other.load, clock, *[1.0] * 5)  # so that the other is always the better
    back.ramp.begin()
    assert back.ramp.share == FIRST_SHARE
    got = []
    for _ in range(round(RAMP_S)):
        got.append(sum(choose([back, other]) is back for _ in range(1000)))
        clock.now += 1
    assert got[0] <= 1000 * FIRST_SHARE + 2
    assert all(later >= sooner - 2 for sooner, later in itertools.pairwise(got)), got
    assert got[-1] == pytest.approx(900, abs=5)
    assert sum(choose([back, other]) is back for _ in range(1000)) == 1000
    back.ramp.begin()
    assert sum(choose([back]) is back for _ in range(100)) == 100, "alone it gets all"


def test_a_fifth_of_the_frames_may_be_sent_twice_and_at_first_as_many_as_are_under_way():
    budget = Budget(in_flight=32)
    assert sum(budget.take() for _ in range(100)) == 32
    for _ in range(50):
        budget.frame()
    assert sum(budget.take() for _ in range(100)) == 10
    for _ in range(10_000):
        budget.frame()
    assert sum(budget.take() for _ in range(100)) == 32, "a budget that is not used does not grow"
    small = Budget(in_flight=1)
    assert sum(small.take() for _ in range(100)) == 10
