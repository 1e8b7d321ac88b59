"""Several heads run at once, each of another frame."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace

import pytest
from kits.edge import FakeSource, Run, pictures

from edge.planning.pinned import PinnedPilot
from edge.planning.plan_metrics import PlanMetrics


@pytest.mark.parametrize("heads", [1, 3])
def test_frames_take_their_plans_in_their_order_and_their_heads_run_at_once(heads):
    """The pilot counts; the heads of so many frames wait for each other."""
    meeting, taken = threading.Barrier(heads), itertools.count()
    run = Run(FakeSource(pictures(12)), in_flight=2, head_workers=heads)

    def met(tensors):
        meeting.wait(60)
        return run.plan.head(tensors)

    class Pilot(PinnedPilot):
        def take(self):
            return replace(run.plan, head=met, label=f"plan {next(taken)}"), False

    pilot = Pilot(run.plan, PlanMetrics(run.metrics))
    run.editions.current = {
        name: replace(edition, pilot=pilot) for name, edition in run.editions.current.items()
    }
    records = run.to_end()
    assert [each.codec for each in records] == [f"plan {number}" for number in range(12)]
    assert run.answered_by() == ["cloud"] * 12
    between = 4 + heads
    assert run.count("queue_capacity", queue="send") == 2 + between
