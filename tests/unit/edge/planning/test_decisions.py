"""When the plan in force is left for another, and when it is not."""

from __future__ import annotations

import pytest
from kits.planner import (
    JPEG,
    OUTPUT,
    PNG,
    RESNET50,
    conditions,
    fly,
    most_a_minute,
    option,
)

from edge.planning.planner import (
    CLEAR_GAIN,
    DWELL_S,
    SHORTEST_STAY_S,
    TOLERANCE,
    InForce,
    Objective,
    choose,
    decide,
)

EXACT = Objective(min_agreement=0.95)


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
