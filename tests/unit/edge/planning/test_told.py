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


def test_what_would_be_better_is_named_before_it_is_taken():
    flight = local()
    flight.tell(1e9, times=5)  # nothing was decided since
    said = flight.pilot.said()
    assert (said["plan"], said["now"]["bytes"]) == (OUTPUT.name, 0)
    assert said["best"] != OUTPUT.name
