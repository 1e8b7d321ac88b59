"""What a planner said of its plan, and what was seen of it."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from edge.planning.plan_metrics import PlanMetrics

if TYPE_CHECKING:
    from edge.metrics import EdgeMetrics


class Diary(PlanMetrics):
    """Each frame's latency under the plan in force, predicted and seen, in seconds.

    Both follow the pictures, seen later than predicted: one look at the end of a flight would tell which pictures came last.
    """

    def __init__(self, metrics: EdgeMetrics) -> None:
        super().__init__(metrics)
        self._predicted_s = 0.0
        self._pairs: list[tuple[float, float]] = []
        self.switches = 0
        """By which the plan in force came there."""

    def switched(self, reason: str) -> None:
        super().switched(reason)
        self._pairs.clear()
        self.switches += 1

    def predicted(self, latency_s: float) -> None:
        super().predicted(latency_s)
        self._predicted_s = latency_s

    def measured(self, latency_s: float) -> None:
        super().measured(latency_s)
        self._pairs.append((self._predicted_s, latency_s))

    def medians_ms(self) -> tuple[float, float]:
        """Predicted and seen, over the second half of the frames of the plan in force; zeros if there were none."""
        later = self._pairs[len(self._pairs) // 2 :]
        if not later:
            return 0.0, 0.0
        predicted, seen = zip(*later, strict=True)
        return 1e3 * statistics.median(predicted), 1e3 * statistics.median(seen)
