"""Metrics of each client. A label's values are bounded, whoever comes: every one costs memory here and in Prometheus for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.limits import MAX_CLIENT_LABELS
from shared.observing.counting.counter import Counter

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

WITHOUT_KEY = "-"
"""The label of all clients that are known by their address only; no key has this name."""
OTHERS = "other"
"""The label of those with a key that came after the first MAX_CLIENT_LABELS."""
OUTCOMES = ("answered", "refused", "abandoned")


class ClientMetrics:
    """Counts requests, bytes and seconds by client. On the event loop only."""

    def __init__(self, prefix: str, registry: CollectorRegistry) -> None:
        """Names begin with `prefix`."""
        self.requests = Counter(
            prefix + "client_requests_total",
            "Requests by client, `-` being all without a key, and by what became of them.",
            ["client", "outcome"],
            registry=registry,
        )
        self.received = Counter(
            prefix + "client_received_bytes_total",
            "Bytes of request bodies by client.",
            ["client"],
            registry=registry,
        )
        self.seconds = Counter(
            prefix + "client_compute_seconds_total",
            "Seconds of computing that were done for each client: its share of the runs of tails, decoding, building profiles.",
            ["client"],
            registry=registry,
        )
        self._labels: set[str] = set()
        for client in (WITHOUT_KEY, OTHERS):
            self.received.labels(client)
            self.seconds.labels(client)
            for outcome in OUTCOMES:
                self.requests.labels(client, outcome)

    def label(self, name: str | None) -> str:
        """The label of a client; `name` is that of its key, None of one without."""
        if name is None:
            return WITHOUT_KEY
        if name not in self._labels:
            if len(self._labels) >= MAX_CLIENT_LABELS or name in (WITHOUT_KEY, OTHERS):
                return OTHERS
            self._labels.add(name)
        return name

    def ended(self, name: str | None, outcome: str, size: int) -> None:
        """A request of this client is over, whose body had `size` bytes."""
        label = self.label(name)
        self.requests.labels(label, outcome).inc()
        if size:
            self.received.labels(label).inc(size)

    def computed(self, name: str | None) -> Callable[[float], None]:
        """What counts seconds that were computed for this client, from any thread."""
        return self.seconds.labels(self.label(name)).inc
