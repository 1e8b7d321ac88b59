"""What holds for the planner whatever the options, the conditions and the objective."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from kits.planner import (
    FUZZ,
    any_conditions,
    any_objective,
    any_options,
)

from edge.planning.planner import (
    AS_GOOD,
    CLEAR_GAIN,
    SHORTEST_STAY_S,
    SMALL_GAIN,
    InForce,
    choose,
    decide,
    predict,
)


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
