"""All that travels between this edge and its clouds, counted, and what the data budget has left of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Gauge

from edge.planning.budget.budget import Budget
from shared.observing.counting.counter import Counter

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class WireBytes:
    """Metrics in the edge's registry, and the budget that they are compared with."""

    def __init__(self, prefix: str, registry: CollectorRegistry) -> None:
        self.budget = Budget()
        """By default none."""
        self._bytes = Counter(
            prefix + "wire_bytes_total",
            "Bytes to and from clouds, whatever for, as they leave this process and come in: without those of TLS, TCP and IP.",
            ["direction"],
            registry=registry,
        )
        self._up, self._down = (self._bytes.labels(direction=each) for each in ("up", "down"))
        Gauge(
            prefix + "budget_left_bytes",
            "What of the hour's data budget may still travel; infinite without one.",
            registry=registry,
        ).set_function(lambda: self.budget.left_bytes)

    def limit(self, most_bytes: int) -> None:
        """From now on at most so many bytes travel in an hour; 0: any number."""
        self.budget = Budget(most_bytes)

    def up(self, size: int) -> None:
        """So many bytes were handed to a connection."""
        self._up.inc(size)
        self.budget.spend(size)

    def down(self, size: int) -> None:
        """So many came."""
        self._down.inc(size)
        self.budget.spend(size)
