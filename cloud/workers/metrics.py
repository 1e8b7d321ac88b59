"""What the parent of several workers counts itself."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics
from prometheus_client.process_collector import ProcessCollector

REASONS = ("killed", "failed", "ended", "hung")


class ParentMetrics:
    """A registry of its own, which the parent adds to those of its workers."""

    def __init__(self, workers: int) -> None:
        """So many `workers` are wanted."""
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._running = Gauge(
            "splitdnn_cloud_workers",
            "Worker processes: wanted, running, and those of them that take frames.",
            ["which"],
            registry=self.registry,
        )
        self._deaths = Counter(
            "splitdnn_cloud_worker_deaths_total",
            "Workers that ended without being told to: killed by a signal, failed with a status, ended well, or killed as they hung.",
            ["why"],
            registry=self.registry,
        )
        self._running.labels(which="wanted").set(workers)
        self.count(0, 0)
        for why in REASONS:
            self._deaths.labels(why=why)

    def count(self, running: int, ready: int) -> None:
        """So many are running, and so many of them take frames."""
        self._running.labels(which="running").set(running)
        self._running.labels(which="ready").set(ready)

    def died(self, status: int, *, hung: bool) -> None:
        """A worker that nobody told to has ended with this exit status."""
        well, by_signal = status == 0, status > 128
        why = "hung" if hung else "ended" if well else "killed" if by_signal else "failed"
        self._deaths.labels(why=why).inc()
