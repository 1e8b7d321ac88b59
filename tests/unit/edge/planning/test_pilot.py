"""The pilot, with plans, a link and a clock that the test holds: what it flies, counts, says and tries out."""

from __future__ import annotations

import logging

import pytest
from kits.edge import value
from kits.pilot import FAST_CLOUD, Flight, away, outcome_of, plan_of
from kits.planner import JPEG, LAYER3, MBIT, OUTPUT, PNG, RESNET50

from edge.metrics import SWITCHES, EdgeMetrics
from edge.planning.pinned import PinnedPilot
from edge.planning.plan_metrics import PlanMetrics
from edge.planning.planner import SHORTEST_STAY_S, Objective


def in_force(metrics, options=RESNET50):
    return [
        each for each in options
        if value(metrics, "plan_info", split_point=each.split_point, codec=each.codec or "none") == 1
    ]  # fmt: skip


def switches(flight):
    return {reason: value(flight.metrics, "plan_switches_total", reason=reason) for reason in SWITCHES}


# --- the plan in force --------------------------------------------------------------------------------------------


def test_the_first_plan_is_made_before_the_first_frame():
    flight = Flight()
    assert flight.pilot.take() == (flight.plan, False)
    assert in_force(flight.metrics) == [flight.option]
    assert switches(flight) == dict.fromkeys(SWITCHES, 0)
    assert value(flight.metrics, "predicted_latency_seconds") > 0


def test_every_plan_is_exported():
    for metrics, each in ((Flight().metrics, each) for each in RESNET50):
        assert value(metrics, "plan_info", split_point=each.split_point, codec=each.codec or "none") in (0, 1)


def test_a_first_plan_keeps_to_the_objective():
    assert Flight(objective=Objective("bytes")).option is OUTPUT
    assert Flight(objective=Objective(min_agreement=0.995)).option.agreement >= 0.995


def test_what_the_cloud_says_of_itself_may_change_the_plan_at_once():
    flight = Flight(bytes_per_s=100 * MBIT)
    assert flight.option is OUTPUT
    flight.pilot.take_tail_times(FAST_CLOUD)
    assert flight.option is PNG
    assert in_force(flight.metrics) == [PNG]
    assert flight.pilot.take() == (flight.plans[PNG], False)


@pytest.mark.parametrize("by", ["answered", "failed"])
def test_a_link_that_broke_down_is_noticed(by):
    flight = away()
    flight.answer(6)
    flight.clock.now += SHORTEST_STAY_S
    number = flight.link.sent(33_700)
    flight.clock.now += 2.0
    flight.link.gave_up(number, at_deadline=True)
    if by == "failed":
        flight.pilot.failed(flight.plans[flight.option], explored=False)
    else:
        flight.answer()
    assert flight.option is OUTPUT
    assert in_force(flight.metrics) == [OUTPUT]
    assert sum(switches(flight).values()) == 2


def test_switches_are_counted_by_reason():
    flight = away()
    flight.answer(6)
    before = switches(flight)
    flight.clock.now += SHORTEST_STAY_S
    flight.tell(1 * MBIT, times=4)
    flight.answer()
    assert {reason: count - before[reason] for reason, count in switches(flight).items()} == {
        "limit": 0, "clear": 1, "small": 0
    }  # fmt: skip


def test_a_small_gain_waits_once_the_plan_is_settled():
    flight = away()
    flight.answer(6)
    for mbit in (
        100,
        75,
        56,
        42,
        32,
        24,
        18,
        16,
    ):  # no jump, and at the end answering here is a little better
        flight.tell(mbit * MBIT, times=12)
    assert flight.option is PNG
    flight.answer()
    assert flight.option is PNG
    flight.clock.now += 60
    flight.answer()
    assert flight.option is OUTPUT
    assert switches(flight)["small"] >= 1


def test_a_jump_of_the_link_unsettles_the_plan():
    flight = away()
    flight.answer(6)
    flight.tell(16 * MBIT, times=3)
    flight.answer()
    assert flight.option is OUTPUT
    assert switches(flight)["small"] == 1


def test_until_then_it_does_not():
    flight = away()
    flight.answer(2)
    flight.tell(16 * MBIT, times=12)
    flight.answer()
    assert flight.option is OUTPUT


def test_a_failure_unsettles_the_plan_but_not_that_of_a_shadow():
    for explored, left in ((False, True), (True, False)):
        flight = away()
        flight.answer(6)
        flight.tell(16 * MBIT, times=12)
        flight.pilot.failed(flight.plans[flight.option], explored=explored)
        assert (flight.option is OUTPUT) == left


def test_frames_of_an_earlier_plan_and_of_none_do_no_harm():
    flight = away()
    plan = plan_of(PNG)
    plan.option = None
    flight.pilot.answered(plan, {"tail": 1.0})
    flight.pilot.delivered(outcome_of(plan), 0.1)
    flight.pilot.answered(flight.plans[LAYER3], {"tail": 5.0})
    flight.pilot.delivered(outcome_of(flight.plans[LAYER3]), 0.1)
    assert value(flight.metrics, "measured_latency_seconds") == 0


def test_only_frames_of_the_plan_in_force_count_and_those_that_went_its_way():
    flight = away()
    for fallback in ("explore", "late"):
        flight.pilot.delivered(outcome_of(flight.plan, fallback=fallback), 0.5)
    flight.pilot.delivered(outcome_of(flight.plans[LAYER3]), 0.5)
    assert value(flight.metrics, "measured_latency_seconds") == 0
    flight.deliver(0.04)
    assert value(flight.metrics, "measured_latency_seconds") == pytest.approx(0.04)


def test_a_switch_is_one_line_with_its_numbers(caplog):
    caplog.set_level(logging.INFO)
    flight = away()
    first, second = (line.getMessage() for line in caplog.records)
    assert first.startswith(
        "plan output (first): predicted 24.2 ms, 41.3 frames/s, 0 bytes, agreement 1.000; - times"
    )
    assert second.startswith("plan input png (")
    assert "34800 bytes, agreement 1.000; 1." in second, "with what an HTTP request adds"
    assert (
        "link 100.00 Mbit/s, 5.0 ms, cloud queue 0.0 ms, this machine 1.00 and the cloud 1.00 times" in second
    )
    caplog.clear()
    flight.answer(20)
    assert not caplog.records, "to stay is not worth a line"


def test_predicted_and_measured_latency():
    flight = away()
    assert value(flight.metrics, "measured_latency_seconds") == 0
    flight.deliver(0.040, wait_head=0.01)
    assert value(flight.metrics, "measured_latency_seconds") == pytest.approx(0.03)
    before = value(flight.metrics, "predicted_latency_seconds")
    flight.tell(50 * MBIT, times=3)
    flight.answer()
    assert value(flight.metrics, "predicted_latency_seconds") > before


# --- what a user has chosen ---------------------------------------------------------------------------------------


def test_a_pinned_plan_stays():
    metrics = EdgeMetrics()
    plan = plan_of(JPEG)
    pinned = PinnedPilot(plan, PlanMetrics(metrics))
    for _ in range(10):
        pinned.answered(plan, {"tail": 1e9})
        pinned.failed(plan, explored=False)
        pinned.delivered(outcome_of(plan), 100.0)
        assert pinned.take() == (plan, False)
    assert in_force(metrics) == [JPEG]
    assert value(metrics, "predicted_latency_seconds") == value(metrics, "measured_latency_seconds") == 0
