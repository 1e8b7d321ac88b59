"""The planner's choice, tried with a ResNet-50's options and with anything."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kits.planner import (
    AVGPOOL,
    FUZZ,
    JPEG,
    LAYER3,
    MBIT,
    OUTPUT,
    PNG,
    RESNET50,
    any_conditions,
    any_objective,
    any_options,
    conditions,
    fly,
    most_a_minute,
    option,
)

from edge.planning.planner import (
    AS_GOOD,
    CLEAR_GAIN,
    DWELL_S,
    SHORTEST_STAY_S,
    SMALL_GAIN,
    TOLERANCE,
    InForce,
    Objective,
    choose,
    decide,
    predict,
)
from edge.uplink.link import LinkState

EXACT = Objective(min_agreement=0.95)


def cost(which, now, objective):
    prediction = predict(which, now)
    return {
        "latency": prediction.latency_s,
        "throughput": prediction.period_s,
        "bytes": prediction.frame_bytes,
    }[objective.kind]


def keeps(which, now, objective):
    limit_s = objective.max_latency_s if which.is_local else min(objective.max_latency_s, now.deadline_s)
    return which.agreement >= objective.min_agreement and predict(which, now).latency_s <= limit_s


# --- predictions --------------------------------------------------------------------------------------------------


def test_a_prediction_adds_up():
    now = conditions(
        8, 20, cloud_wait_s=0.003, edge_slowdown=2.0, cloud_slowdown=3.0, sizes={"png": 2.0}, tails_s={}
    )
    prediction = predict(PNG, now)
    transfer_s = (2 * 33_700 - 1448) / 1e6
    assert prediction.frame_bytes == 67_400
    assert prediction.latency_s == pytest.approx(0.0062 + 0.02 + transfer_s + 0.003 + 3 * 0.0251)
    assert prediction.period_s == pytest.approx(0.02 + transfer_s + 0.003 + 3 * 0.0251)


def test_what_travels_nowhere_costs_the_edge_only():
    prediction = predict(
        OUTPUT, conditions(0.001, 1e6, edge_slowdown=2.0, cloud_slowdown=100.0, cloud_wait_s=100.0)
    )
    assert prediction.latency_s == prediction.period_s == pytest.approx(0.0484)
    assert prediction.frame_bytes == 0


def test_what_the_cloud_says_counts_and_else_this_machines_own_times():
    own = predict(PNG, conditions(tails_s={}))
    told = predict(PNG, conditions(tails_s={"layer3": 1.0}))
    assert told == own
    fast = predict(PNG, conditions(tails_s={"input": PNG.tail_s / 8}))
    computing_s = PNG.tail_s + PNG.decode_s
    ratio = (PNG.tail_s / 8) / (PNG.head_s + PNG.tail_s)
    assert own.latency_s - fast.latency_s == pytest.approx(
        computing_s - PNG.tail_s / 8 - ratio * PNG.decode_s
    )


def test_several_under_way_at_once_keep_a_faster_pace():
    alone, several = (predict(PNG, conditions(in_flight=count)) for count in (1, 4))
    assert several.period_s < alone.period_s
    assert several.period_s >= PNG.frame_bytes / (20 * MBIT), "but not a faster one than the link's"


def test_under_way_at_once_they_wait_for_each_other_only_if_they_come_too_fast():
    now = conditions(2, in_flight=4)
    assert predict(PNG, now).latency_s > 4 * PNG.frame_bytes / (2 * MBIT)
    slowly = replace(now, interval_s=1.0)
    assert predict(PNG, slowly).latency_s < 1.5 * PNG.frame_bytes / (2 * MBIT)


# --- where it should go -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", ["latency", "throughput", "bytes"])
def test_on_a_dead_link_the_edge_answers(objective):
    assert choose(RESNET50, conditions(0.001), Objective(objective, 0.95)) is OUTPUT


def test_a_slow_edge_on_a_fast_link_sends_the_picture():
    now = conditions(1000, 1, edge_slowdown=8.0)
    assert choose(RESNET50, now, EXACT) is PNG
    assert choose(RESNET50, now, Objective()).split_point == "input"


def test_in_between_it_is_somewhere_in_between():
    now = conditions(20, 1, edge_slowdown=8.0)
    assert choose(RESNET50, now, EXACT) is PNG
    chosen = [
        choose(RESNET50, replace(now, link=LinkState(mbit * MBIT, 0.001)), EXACT) for mbit in (0.1, 2, 100)
    ]
    assert chosen[0] is OUTPUT
    assert chosen[2] is PNG


def test_a_fast_edge_and_a_slow_cloud_stay_here():
    assert choose(RESNET50, conditions(1000, 1, tails_s={}, cloud_slowdown=10), EXACT) is OUTPUT


def test_the_fewest_bytes_are_none_unless_that_takes_too_long():
    assert choose(RESNET50, conditions(), Objective("bytes", 0.95)) is OUTPUT
    slow = conditions(1000, 1, edge_slowdown=8.0)
    assert choose(RESNET50, slow, Objective("bytes", 0.95, max_latency_s=0.1)) is PNG
    assert choose(RESNET50, slow, Objective("bytes", 0.5, max_latency_s=0.1)).frame_bytes == 3900


def test_of_equals_it_is_the_one_with_the_fewest_bytes():
    large, small = option("a", kb=100), option("b", kb=99.9)
    assert choose([large, small], conditions(1e6), Objective()) is small


def test_where_none_is_exact_enough_it_is_the_most_exact():
    away = [each for each in RESNET50 if each.split_point == "input" and each is not PNG]
    assert choose(away, conditions(), EXACT).agreement == 0.79


def test_where_none_is_fast_enough_it_is_the_one_that_misses_by_least_and_is_exact():
    now = conditions(1, 5)
    chosen = choose([PNG, JPEG, AVGPOOL, LAYER3], now, Objective(min_agreement=0.95, max_latency_s=0.001))
    assert chosen is AVGPOOL


# --- anything -----------------------------------------------------------------------------------------------------


@FUZZ
@given(any_options(), any_conditions)
def test_predictions_are_finite(options, now):
    for each in options:
        prediction = predict(each, now)
        assert 0 < prediction.latency_s < math.inf
        assert 0 < prediction.period_s < math.inf
        assert 0 <= prediction.frame_bytes < math.inf
        assert prediction.frame_bytes > 0 or each.is_local


@FUZZ
@given(any_options(), any_conditions, any_objective)
def test_nothing_is_better_than_what_is_chosen(options, now, objective):
    chosen = choose(options, now, objective)
    good = [each for each in options if keeps(each, now, objective)]
    if good:
        assert chosen in good, "a limit that can be kept is kept"
        best = min(cost(each, now, objective) for each in good)
        assert cost(chosen, now, objective) <= AS_GOOD * best * (1 + 1e-9)
    exact = [each for each in options if each.agreement >= objective.min_agreement]
    assert not exact or chosen in exact


@FUZZ
@given(any_options(), any_conditions, any_objective, st.floats(0, 1000), st.booleans(), st.data())
def test_a_decision_is_sound_and_can_be_replayed(options, now, objective, since_s, settled, data):
    current = data.draw(st.none() | st.sampled_from(options))
    in_force = InForce(current, since_s, settled) if current else None
    decision = decide(options, now, objective, in_force)
    assert decision == decide(list(options), replace(now), replace(objective), in_force)
    assert decision.best is choose(options, now, objective)
    assert decision.option is (current if decision.reason == "stay" else decision.best)
    assert decision.prediction == predict(decision.option, now)
    assert (decision.reason == "first") == (current is None)
    if decision.reason in ("clear", "small"):
        assert decision.gain >= (CLEAR_GAIN if decision.reason == "clear" else SMALL_GAIN)
    if current and decision.option is not current:
        assert since_s >= SHORTEST_STAY_S or not settled
    if decision.reason == "limit":
        assert not keeps(current, now, objective), "and what is taken misses less, if it misses at all"


@FUZZ
@given(any_options(), any_conditions, st.floats(1, 100))
def test_a_faster_link_makes_nothing_slower(options, now, factor):
    faster = replace(now, link=replace(now.link, bytes_per_s=factor * now.link.bytes_per_s))
    for each in options:
        assert predict(each, faster).latency_s <= predict(each, now).latency_s * (1 + 1e-9)
    before, after = (min(predict(each, when).latency_s for each in options) for when in (now, faster))
    assert after <= before * (1 + 1e-9)


@FUZZ
@given(any_options(), any_conditions, any_objective)
def test_what_was_decided_is_stayed_with(options, now, objective):
    first = decide(options, now, objective, None)
    for since_s in (0.0, 1.0, 1000.0):
        for settled in (False, True):
            assert decide(options, now, objective, InForce(first.option, since_s, settled)).reason == "stay"


# --- when a plan is left ------------------------------------------------------------------------------------------


def two(gain):
    """One that is in force, and one that is so many times better."""
    return option("a", "int8", 10.0 * gain, 0, 0, 0, kb=1e-3), option("b", "int8", 10.0, 0, 0, 0, kb=1e-3)


STILL = conditions(1e6, 0, tails_s={"a": 0.0, "b": 0.0})


@pytest.mark.parametrize(
    ("gain", "since_s", "settled", "reason"),
    [
        (1.02, 1e6, True, "stay"),
        (1.02, 0.0, False, "stay"),
        (1.2, DWELL_S - 0.01, True, "stay"),
        (1.2, DWELL_S, True, "small"),
        (1.2, 0.0, False, "small"),
        (1.6, SHORTEST_STAY_S - 0.01, True, "stay"),
        (1.6, SHORTEST_STAY_S, True, "clear"),
        (1.6, 0.0, False, "clear"),
    ],
)
def test_small_gains_wait_and_clear_ones_do_not(gain, since_s, settled, reason):
    old, new = two(gain)
    decision = decide([old, new], STILL, Objective(), InForce(old, since_s, settled))
    assert decision.reason == reason
    assert decision.gain == pytest.approx(gain)
    assert decision.best is new


def test_a_plan_that_misses_a_limit_is_left_at_once_for_one_that_keeps_it():
    old, new = two(1.2)
    for missed, reason in ((TOLERANCE - 0.01, "stay"), (TOLERANCE + 0.01, "limit")):
        objective = Objective(max_latency_s=0.012 / missed)
        assert decide([old, new], STILL, objective, InForce(old, 1.0, settled=True)).reason == reason


def test_the_deadline_is_such_a_limit_for_what_travels():
    now = conditions(1, 5, edge_slowdown=100.0, deadline_s=0.2, tails_s={})
    decision = decide([PNG, OUTPUT], now, EXACT, InForce(PNG, 1.0, settled=True))
    assert (decision.option, decision.reason) == (OUTPUT, "limit"), (
        "though it takes seconds, it takes none in vain"
    )


def test_a_plan_that_is_too_inexact_is_left():
    decision = decide(RESNET50, conditions(), EXACT, InForce(JPEG, 1.0, settled=True))
    assert decision.reason in ("limit", "clear")
    assert decision.option.agreement >= 0.95


def test_a_step_of_the_link_is_answered_at_once():
    before, after = conditions(20, 2, edge_slowdown=3.0), conditions(2, 2, edge_slowdown=3.0)
    chosen = choose(RESNET50, before, EXACT)
    assert chosen is PNG
    decision = decide(RESNET50, after, EXACT, InForce(chosen, SHORTEST_STAY_S, settled=True))
    assert decision.reason == "clear"
    assert decision.gain > CLEAR_GAIN
    back = decide(RESNET50, before, EXACT, InForce(decision.option, SHORTEST_STAY_S, settled=True))
    assert back.option is PNG


# --- ten minutes of a noisy estimate ------------------------------------------------------------------------------


@pytest.mark.parametrize("mbit", [0.5, 5, 9, 20, 100])
@pytest.mark.parametrize("edge_slowdown", [1.0, 4.0])
def test_noise_changes_the_plan_once_a_minute_at_most(mbit, edge_slowdown):
    assert most_a_minute(fly(EXACT, conditions(mbit, edge_slowdown=edge_slowdown))) <= 1
