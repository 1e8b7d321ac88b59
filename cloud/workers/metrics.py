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
            "splitdnn_cloud_workers", "Worker processes, running and wanted.", ["which"], registry=self.registry
        )
        self._deaths = Counter(
            "splitdnn_cloud_worker_deaths_total",
            "Workers that ended without being told to: killed by a signal, failed with a status, ended well, or killed as they hung.",
            ["why"],
            registry=self.registry,
        )
        self._running.labels(which="wanted").set(workers)
        self._running.labels(which="running").set(0)
        for why in REASONS:
            self._deaths.labels(why=why)

    def started(self, running: int) -> None:
        """A worker was started; so many are `running` now."""
        self._running.labels(which="running").set(running)

    def ended(self, running: int, status: int | str | None) -> None:
        """A worker has ended with this exit status, or is `hung`; None: as it should."""
        self._running.labels(which="running").set(running)
        if status is None:
            return
        why = status if isinstance(status, str) else "ended" if not status else "killed" if status > 128 else "failed"
        self._deaths.labels(why=why).inc()
