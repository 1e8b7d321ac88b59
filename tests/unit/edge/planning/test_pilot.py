"""The pilot, with plans, a link and a clock that the test holds: what it flies, counts, says and tries out."""

from __future__ import annotations

import logging

import pytest
from kits.edge import value
from kits.pilot import Flight, outcome_of, plan_of
from kits.planner import AVGPOOL, FAST_CLOUD_S, JPEG, LAYER3, MBIT, OUTPUT, PNG, RESNET50

from edge.metrics import SWITCHES, EdgeMetrics
from edge.planning.conditions import TailTimes
from edge.planning.pilot import PinnedPilot
from edge.planning.planner import SHORTEST_STAY_S, Objective
from edge.uplink.circuit import State
from edge.uplink.link import Link

FAST_CLOUD = TailTimes(FAST_CLOUD_S, {})


def in_force(metrics, options=RESNET50):
    return [
        each for each in options
        if value(metrics, "plan_info", split_point=each.split_point, codec=each.codec or "none") == 1
    ]  # fmt: skip


def switches(flight):
    return {reason: value(flight.metrics, "plan_switches_total", reason=reason) for reason in SWITCHES}


def away(**changes):
    """A pilot that sends pictures: of a slow edge, on a fast link, to a fast cloud."""
    flight = Flight([PNG, LAYER3, OUTPUT], bytes_per_s=100 * MBIT, **changes)
    flight.pilot.take_tail_times(FAST_CLOUD)
    assert flight.option is PNG
    return flight


def local(options=(PNG, LAYER3, OUTPUT), bytes_per_s=1 * MBIT, **changes):
    """One that answers here, though a faster link would change that."""
    flight = Flight(options, bytes_per_s=bytes_per_s, **changes)
    flight.pilot.take_tail_times(FAST_CLOUD)
    flight.clock.now += 10
    flight.answer()
    assert flight.option is OUTPUT
    return flight


def shadows(flight, seconds, every_s=0.05):
    """Frames that are delivered, and at which of them one was sent to learn."""
    found = []
    for step in range(1, round(seconds / every_s) + 1):
        flight.clock.now += every_s
        flight.deliver()
        if flight.pilot.take()[1]:
            found.append(round(step * every_s, 3))
    return found


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
        flight.pilot.failed(explored=False)
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
        flight.pilot.failed(explored=explored)
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


def test_a_switch_is_one_line_with_its_numbers(caplog):
    caplog.set_level(logging.INFO)
    flight = away()
    first, second = (line.getMessage() for line in caplog.records)
    assert first.startswith(
        "plan output (first): predicted 24.2 ms, 41.3 frames/s, 0 bytes, agreement 1.000; - times"
    )
    assert second.startswith("plan input png (")
    assert "33700 bytes, agreement 1.000; 1." in second
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


# --- frames that are sent to learn --------------------------------------------------------------------------------


def test_a_plan_that_sends_nothing_sends_a_frame_now_and_then():
    flight = local(explore_s=0.5, bytes_per_s=12 * MBIT)
    found = shadows(flight, 5)
    assert len(found) in (9, 10)


def test_a_shadow_is_handed_out_once_and_is_the_smallest_that_tells():
    flight = local([PNG, LAYER3, JPEG, AVGPOOL, OUTPUT], 12 * MBIT)
    flight.clock.now += 1
    flight.deliver()
    assert PNG.frame_bytes >= Link.telling_bytes > JPEG.frame_bytes > AVGPOOL.frame_bytes
    assert [flight.pilot.take() for _ in range(3)] == [
        (flight.plans[PNG], True), (flight.plans[OUTPUT], False), (flight.plans[OUTPUT], False)
    ]  # fmt: skip


def test_what_they_tell_brings_the_plan_back():
    flight = local()
    flight.answer(6)
    for _ in range(3):
        flight.clock.now += 1
        flight.tell(100 * MBIT)
        flight.pilot.answered(flight.plans[PNG], {"tail": 3.0, "decode": 0.2})
    assert flight.option is PNG


def test_it_is_never_done_if_that_was_not_wanted():
    flight = local(explore_s=0.0)
    assert shadows(flight, 20) == []


def test_nor_while_the_circuit_is_open():
    flight = local()
    flight.circuit.open("no cloud")
    assert shadows(flight, 20) == []
    flight.circuit.state = State.HALF_OPEN
    assert shadows(flight, 20)


def test_nor_while_the_plans_own_frames_tell():
    flight = away()
    for _ in range(40):
        flight.tell(100 * MBIT)
        flight.clock.now += 0.1
        flight.deliver()
        assert flight.pilot.take() == (flight.plans[PNG], False)


def test_nor_where_no_link_would_change_the_plan():
    flight = Flight([AVGPOOL, OUTPUT], bytes_per_s=1 * MBIT)
    assert flight.option is OUTPUT
    assert shadows(flight, 20) == []


def test_nor_where_nothing_can_be_sent():
    assert shadows(Flight([OUTPUT]), 20) == []


@pytest.mark.parametrize("mbit", [0.1, 1, 4])
def test_it_takes_a_quarter_of_the_link_at_most(mbit):
    flight = local(bytes_per_s=mbit * MBIT, explore_s=0.5)
    found = shadows(flight, 60)
    assert len(found) >= 1
    assert len(found) * 33_700 / (mbit * MBIT) <= 0.25 * 60 + 33_700 / (mbit * MBIT)


def test_after_a_surprise_it_looks_again_soon():
    flight = local(bytes_per_s=12 * MBIT, explore_s=5.0)
    flight.answer(6)
    flight.tell(12 * MBIT, times=12)
    flight.tell(400 * MBIT)
    assert flight.link.is_jumping
    assert shadows(flight, 1)[0] <= 0.15
    flight.tell(12 * MBIT)
    assert not flight.link.is_jumping
    assert shadows(flight, 4) == []


# --- what a user has chosen ---------------------------------------------------------------------------------------


def test_a_pinned_plan_stays():
    metrics = EdgeMetrics()
    plan = plan_of(JPEG)
    pinned = PinnedPilot(plan, metrics)
    for _ in range(10):
        pinned.answered(plan, {"tail": 1e9})
        pinned.failed(explored=False)
        pinned.delivered(outcome_of(plan), 100.0)
        assert pinned.take() == (plan, False)
    assert in_force(metrics) == [JPEG]
    assert value(metrics, "predicted_latency_seconds") == value(metrics, "measured_latency_seconds") == 0
