"""What the planner would say if it were asked."""

from __future__ import annotations

import json

from kits.pilot import away, local, plan_of
from kits.planner import LAYER3, OUTPUT

from edge.metrics import EdgeMetrics
from edge.planning.pinned import PinnedPilot
from edge.planning.plan_metrics import PlanMetrics


def test_a_chosen_plan_says_that_it_was_chosen():
    pilot = PinnedPilot(plan_of(LAYER3), PlanMetrics(EdgeMetrics()))
    assert pilot.said()["why"] == "chosen"


def test_the_plan_in_force_stands_beside_what_others_would_cost():
    for flight in (away(), local()):
        said = json.loads(json.dumps(flight.pilot.said(), allow_nan=False))
        assert said["plan"] == said["now"]["plan"] == flight.option.name
        assert said["why"] in {"first", "limit", "clear", "small"}
        others = [each["plan"] for each in said["instead"]]
        assert len(others) == said["options"] - 1 == 2
        assert said["plan"] not in others
        assert said["best"] in {said["plan"], *others}
        costs = [(not each["keeps"], each["latency_ms"]) for each in said["instead"]]
        assert costs == sorted(costs), "the best of the others comes first"


def test_how_frames_travel_and_what_may_still_is_told():
    flight = away()
    said = flight.pilot.said()
    assert (said["session"], said["overhead_bytes"], said["lost"]) == (False, 1100, 0)
    assert "budget" not in said
    flight.metrics.wire.limit(5_000_000)
    flight.metrics.wire.up(1_000_000)
    expected = {"bytes_per_hour": 5_000_000, "left_bytes": 4_000_000, "spent": False}
    assert flight.pilot.said()["budget"] == expected
    metrics = EdgeMetrics()
    metrics.wire.limit(5_000_000)
    assert PinnedPilot(plan_of(LAYER3), PlanMetrics(metrics)).said()["budget"]["left_bytes"] == 5_000_000
    json.dumps(flight.pilot.said(), allow_nan=False)


def test_what_would_be_better_is_named_before_it_is_taken():
    flight = local()
    flight.tell(1e9, times=5)  # nothing was decided since
    said = flight.pilot.said()
    assert (said["plan"], said["now"]["bytes"]) == (OUTPUT.name, 0)
    assert said["best"] != OUTPUT.name
