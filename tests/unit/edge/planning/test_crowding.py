"""How much longer frames are under way than link and cloud take for them, where they wait for each other: what shows it, and what does not."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from edge.planning.conditions import Observations
from edge.planning.costs.tail_times import TailTimes
from edge.planning.pace import Pace
from edge.planning.planner import Option, predict
from edge.uplink.link import LinkState

OPTION = Option("a", "int8", 0.01, 0.001, 0.0, 0.02, 1000.0, 1.0, 8)
LOCAL = Option("output", None, 0.03, 0.0, 0.0, 0.0, 0.0, 1.0, 8)
IN_FLIGHT = 4


def observing(round_trip_s=0.01):
    """What takes 20 ms of the cloud."""
    link = SimpleNamespace(cloud=None, state=LinkState(1e6, round_trip_s))
    seen = Observations(link, Pace({"a": False}), in_flight=IN_FLIGHT, deadline_s=60.0)
    seen.take_tail_times(TailTimes({"a": 0.02}, {}))
    return seen


def deliver(seen, count, away_s=0.12, waited_s=0.03, latency_s=0.15, option=OPTION):
    steps = {"preprocess": 0.001, "head": 0.01, "encode": 0.001, "wait_uplink": waited_s, "send": away_s}
    for _ in range(count):
        seen.delivered(option, steps, 1000, latency_s)


def test_of_frames_that_waited_for_a_place():
    seen = observing()
    deliver(seen, 20)
    assert seen.conditions().crowding == pytest.approx(0.12 / IN_FLIGHT / 0.02)
    assert predict(OPTION, seen.conditions()).period_s == pytest.approx(0.03)


@pytest.mark.parametrize(
    "how",
    [
        {"waited_s": 0.001},  # a hand-over between threads is no queue
        {"latency_s": None},  # the cloud did not answer it, or another plan's
        {"away_s": 0.06},  # all places together were not taken
    ],
    ids=str,
)
def test_other_frames_show_nothing(how):
    seen = observing()
    deliver(seen, 20, **how)
    assert seen.conditions().crowding == 1.0


def test_the_first_of_a_plan_went_out_behind_those_of_the_one_before():
    seen = observing()
    deliver(seen, IN_FLIGHT)
    assert seen.conditions().crowding == 1.0
    deliver(seen, 1)
    assert seen.conditions().crowding == pytest.approx(1.5)
    seen.new_plan()
    deliver(seen, IN_FLIGHT, away_s=0.16)
    assert seen.conditions().crowding == pytest.approx(1.5), "it holds for whatever travels"


def test_it_is_bounded_and_forgotten_when_nothing_has_travelled_for_long():
    seen = observing()
    deliver(seen, 20, away_s=3.0, waited_s=1.0)
    assert seen.conditions().crowding == 2.0
    seen.new_plan()
    deliver(seen, 400, option=LOCAL)
    assert seen.conditions().crowding == 2.0, "else two plans that are alike would take turns"
    deliver(seen, 100, option=LOCAL)
    assert seen.conditions().crowding == 1.0, "it could not be seen that it is over"


def test_over_a_long_way_nothing_is_crowded():
    """What is under way there is on its way, and not in a queue."""
    seen = observing(round_trip_s=0.6)
    deliver(seen, 20, away_s=0.7, waited_s=0.2)
    assert seen.conditions().crowding == 1.0
    assert predict(OPTION, seen.conditions()).period_s == pytest.approx((0.62) / IN_FLIGHT, rel=0.01)
