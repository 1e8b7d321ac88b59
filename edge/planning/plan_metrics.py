"""What is exported of a pilot's plans: for each camera whose frames it leads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.metrics import DEFAULT_CAMERA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.metrics import EdgeMetrics
    from edge.planning.budget.budget import Budget
    from edge.planning.plan import Plan


class PlanMetrics:
    """The same for all of these cameras: they have one pilot."""

    def __init__(self, metrics: EdgeMetrics, cameras: Sequence[str] = (DEFAULT_CAMERA,)) -> None:
        self._metrics = metrics
        self._cameras = cameras

    @property
    def budget(self) -> Budget:
        """The data budget of all cameras together."""
        return self._metrics.wire.budget

    def in_force(self, plan: Plan, *, now: bool) -> None:
        """The plan is in force, or no longer."""
        for camera in self._cameras:
            labels = {"camera": camera, "split_point": plan.split_point.name, "codec": plan.label}
            self._metrics.plan_info.labels(**labels).set(now)

    def switched(self, reason: str) -> None:
        """Another plan is taken, for one of SWITCHES."""
        for camera in self._cameras:
            self._metrics.plan_switches.labels(camera=camera, reason=reason).inc()

    def predicted(self, latency_s: float) -> None:
        for camera in self._cameras:
            self._metrics.predicted_latency.labels(camera=camera).set(latency_s)

    def measured(self, latency_s: float) -> None:
        for camera in self._cameras:
            self._metrics.measured_latency.labels(camera=camera).set(latency_s)
