"""What is told of events: how many came, wait, were delivered, were lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Gauge

from edge.output.events.event import Kind
from shared.observing.counting.counter import Counter

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

LOST = ("full", "queue", "disk", "refused")
"""Why an event does not reach its target: it was the oldest where there was no more room, it came faster than events are written, the
disk did not keep it, or the target will not have it."""


class EventMetrics:
    """Targets come as they are opened, and have every label value from then on."""

    def __init__(self, prefix: str, registry: CollectorRegistry | None) -> None:
        """`prefix`: `splitdnn_edge_`. Without a `registry` nothing is exported."""
        self.events = Counter(
            prefix + "events_total",
            "Events, by what happened: classes that changed, objects that came and went, cameras and clouds lost and found.",
            ["kind"],
            registry=registry,
        )
        self._waiting = Gauge(
            prefix + "events_waiting",
            "Events that a target has not confirmed yet.",
            ["target"],
            registry=registry,
        )
        self.delivered = Counter(
            prefix + "events_delivered_total",
            "Events that a target has confirmed.",
            ["target"],
            registry=registry,
        )
        self.lost = Counter(
            prefix + "events_lost_total",
            "Events that a target will never get, by why.",
            ["target", "reason"],
            registry=registry,
        )
        for kind in Kind:
            self.events.labels(kind=kind.value)

    def add_target(self, target: str, waiting: Callable[[], float]) -> None:
        """From now on `waiting` says how many events wait for the target."""
        self._waiting.labels(target=target).set_function(waiting)
        self.delivered.labels(target=target)
        for reason in LOST:
            self.lost.labels(target=target, reason=reason)
