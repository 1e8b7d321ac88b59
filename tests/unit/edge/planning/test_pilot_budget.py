"""A pilot whose edge has a data budget."""

from __future__ import annotations

from kits.pilot import away, local

from edge.planning.planner import SHORTEST_STAY_S


def test_a_plan_that_costs_too_much_is_left_and_taken_again_when_there_is_more():
    flight = away()
    dear = flight.option
    flight.answer(6)
    flight.clock.now += SHORTEST_STAY_S
    flight.metrics.wire.limit(1_000_000)
    flight.answer()
    assert flight.option.is_local, "34,800 bytes as often as can be are more than 277 a second"
    said = flight.pilot.said()
    assert (said["why"], said["now"]["keeps"]) == ("limit", True)
    assert not any(each["keeps"] for each in said["instead"])
    flight.answer(6)
    flight.clock.now += SHORTEST_STAY_S
    flight.metrics.wire.limit(0)
    flight.answer()
    assert flight.option is dear


def scouts(flight, seconds):
    found = 0
    for _ in range(10 * seconds):
        flight.clock.now += 0.1
        flight.deliver()
        found += flight.pilot.take()[1]
    return found


def test_exploring_takes_a_twentieth_of_it_and_nothing_once_it_is_spent():
    flight = local()
    assert scouts(flight, 60) > 40
    flight.metrics.wire.limit(36_000_000)  # 10,000 a second; a frame that tells of the link takes 34,800
    assert 0 < scouts(flight, 600) <= 600 / (34_800 / 500) + 1
    budget = flight.metrics.wire.budget
    budget.spend(36_000_000)
    assert not budget.claim(1000)
    assert scouts(flight, 600) == 0
