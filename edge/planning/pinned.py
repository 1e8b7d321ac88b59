"""The pilot of a user who has chosen the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.planning.told import tell_budget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.frames.way import Outcome
    from edge.planning.plan import Plan
    from edge.planning.plan_metrics import PlanMetrics


class PinnedPilot:
    """One plan, which never changes."""

    def __init__(self, plan: Plan, metrics: PlanMetrics) -> None:
        self._plan = plan
        self._metrics = metrics
        metrics.in_force(plan, now=True)

    def take(self) -> tuple[Plan, bool]:
        return self._plan, False

    def answered(self, plan: Plan, steps_ms: Mapping[str, float], cloud: str | None = None) -> None:
        """Nothing follows from it."""

    def failed(self, plan: Plan, *, explored: bool) -> None:
        """Nothing follows from it."""

    def delivered(self, outcome: Outcome, latency_s: float) -> None:
        """Nothing follows from it."""

    def said(self) -> dict[str, Any]:
        name = self._plan.split_point.name
        plan = f"{name} {self._plan.label}" if self._plan.codec else name
        return {"plan": plan, "why": "chosen"} | tell_budget(self._metrics.budget)

    def retire(self) -> None:
        self._metrics.in_force(self._plan, now=False)
