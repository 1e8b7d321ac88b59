"""One reading of the metrics of several workers: the same series as of one, added up.

prometheus_client's own way, its multiprocess mode, is none for this cloud: it takes no collectors of one's own (the process's, our
histograms), no gauge that is computed when it is read, and no series that goes away; and its files need a folder to write to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.samples import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_CLOUD = "splitdnn_cloud_"
GREATEST = frozenset(
    {
        f"{_CLOUD}{name}"
        for name in ("ready", "profiles", "networks", "tokens", "event_loop_longest_block_seconds")
    }
    | {f"{_CLOUD}event_loop_longest_computation_seconds", "splitdnn_build_info", "python_info"}
)
"""Gauges of what all workers have in common, and of the longest of something."""
LEAST = frozenset(
    {
        f"{_CLOUD}{name}"
        for name in (
            "certificate_expiry_timestamp_seconds",
            "ledger_disk_free_bytes",
            "audit_disk_free_bytes",
        )
    }
    | {"process_start_time_seconds", "process_max_fds"}
)
"""Gauges of which the lowest matters: the same disk, the certificate that ends first, the start of the parent."""
ADDED = frozenset(
    {
        f"{_CLOUD}{name}"
        for name in (
            "queue_depth", "queue_capacity", "buffered_bytes", "frames", "active_clients", "connections", "ledger_bytes", "audit_bytes",
            "workers", "video_streams", "sessions",
        )
    }
    | {"process_virtual_memory_bytes", "process_resident_memory_bytes", "process_open_fds"}
)  # fmt: skip
"""All other gauges: a test wants each gauge in one of the three."""
REASONS = ("killed", "failed", "ended", "hung")
"""What became of a worker that ended without being told to."""
_GROWING = ("counter", "histogram")

Family = dict[str, Any]
"""JSON: `name`, `help`, `type`, and `samples`: name, labels and value of each."""


def families_of(collector: Collected | CollectorRegistry) -> list[Family]:
    """All metrics, for another process."""
    return [
        {
            "name": family.name,
            "help": family.documentation,
            "type": family.type,
            "samples": [[sample.name, sample.labels, sample.value] for sample in family.samples],
        }
        for family in collector.collect()
    ]


def added(readings: Iterable[Sequence[Family]]) -> list[Family]:
    """One reading of several: every series of each, in the order of their first appearance."""
    whole: dict[str, tuple[Family, dict[tuple[Any, ...], list[Any]]]] = {}
    for reading in readings:
        for family in reading:
            _, samples = whole.setdefault(family["name"], ({**family}, {}))
            for name, labels, value in family["samples"]:
                key = (name, *sorted(labels.items()))
                found = samples.setdefault(key, [name, labels, []])
                found[2].append(value)
    return [
        {
            **family,
            "samples": [[name, labels, _one(family, values)] for name, labels, values in samples.values()],
        }
        for family, samples in whole.values()
    ]


def _one(family: Family, values: list[float]) -> float:
    if family["type"] in _GROWING:
        return sum(values)
    if family["name"] in GREATEST:
        return max(values)
    if family["name"] in LEAST:
        # 0 says that there is none, as of a certificate that a worker has not read yet.
        return min((value for value in values if value), default=0.0)
    return sum(values)


@dataclass
class Sums:
    """The latest reading of each worker, and what workers that have ended had counted. So no counter ever falls."""

    latest: dict[int, list[Family]] = field(default_factory=dict)
    ended: list[Family] = field(default_factory=list)
    turns: dict[int, int] = field(default_factory=dict)
    """When each worker was asked for that."""

    def note(self, worker: int, reading: list[Family], turn: int) -> None:
        """A worker's metrics. Of two readings at a time the earlier `turn` may come last, and is not noted then."""
        if turn >= self.turns.get(worker, turn):
            self.latest[worker], self.turns[worker] = reading, turn

    def retire(self, worker: int) -> None:
        """It has ended: its counters are kept as they were at the latest reading, its gauges are not."""
        self.turns.pop(worker, None)
        growing = [family for family in self.latest.pop(worker, []) if family["type"] in _GROWING]
        self.ended = added([self.ended, growing])

    def whole(self, own: list[Family]) -> list[Family]:
        """All of it, with the parent's own."""
        return added([*(self.latest[worker] for worker in sorted(self.latest)), self.ended, own])


class Collected:
    """Families that another process has sent, as a registry that can be written out."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Each family."""
        for each in self._families:
            family = Metric(each["name"], each["help"], each["type"])
            family.samples = [Sample(name, labels, value) for name, labels, value in each["samples"]]
            yield family


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
