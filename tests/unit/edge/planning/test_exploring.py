"""Frames that are sent to learn about the link, and which the edge answers itself."""

from __future__ import annotations

import pytest
from kits.pilot import Flight, away, local
from kits.planner import AVGPOOL, JPEG, LAYER3, MBIT, OUTPUT, PNG

from edge.uplink.circuit import State
from edge.uplink.link import Link


def shadows(flight, seconds, every_s=0.05):
    """Frames that are delivered, and at which of them one was sent to learn."""
    found = []
    for step in range(1, round(seconds / every_s) + 1):
        flight.clock.now += every_s
        flight.deliver()
        if flight.pilot.take()[1]:
            found.append(round(step * every_s, 3))
    return found


def test_a_plan_that_sends_nothing_sends_a_frame_now_and_then():
    flight = local(explore_s=0.5, bytes_per_s=12 * MBIT)
    found = shadows(flight, 5)
    assert len(found) in (9, 10)


def test_a_shadow_is_handed_out_once_and_is_the_smallest_that_tells():
    flight = local([PNG, LAYER3, JPEG, AVGPOOL, OUTPUT], 12 * MBIT)
    flight.clock.now += 1
    flight.deliver()
    assert PNG.frame_bytes >= Link(flight.clock).telling_bytes > JPEG.frame_bytes > AVGPOOL.frame_bytes
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
