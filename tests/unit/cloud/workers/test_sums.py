"""Several workers' metrics as one reading."""

from __future__ import annotations

import json

from prometheus_client import CollectorRegistry, Counter, Gauge

from cloud.metrics import CloudMetrics
from cloud.workers.sums import ADDED, GREATEST, LEAST, Collected, ParentMetrics, Sums, added, families_of
from shared.observing.counting.histogram import Histogram
from shared.observing.telemetry import export_build_info, exposition


class Small:
    """A counter, a histogram and three gauges."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.count = Counter("c_total", "Counted.", ["of"], registry=self.registry)
        self.times = Histogram("h_seconds", "Times.", ["step"], buckets=(1, 2), registry=self.registry)
        self.depth = Gauge("splitdnn_cloud_queue_depth", "Depth.", registry=self.registry)
        self.ready = Gauge("splitdnn_cloud_ready", "Ready.", registry=self.registry)
        self.free = Gauge("splitdnn_cloud_ledger_disk_free_bytes", "Free.", registry=self.registry)

    def reading(self):
        return json.loads(json.dumps(families_of(self.registry)))


def values(families):
    return {
        (name, *labels.values()): value for family in families for name, labels, value in family["samples"]
    }


def test_counters_and_buckets_are_added_and_each_gauge_in_its_way():
    one, other = Small(), Small()
    one.count.labels("a").inc(2)
    other.count.labels("a").inc(3)
    other.count.labels("b").inc()
    one.times.labels(step="s").observe(0.5)
    other.times.labels(step="s").observe(1.5)
    for small, depth, ready, free in ((one, 4, 0, 0), (other, 5, 1, 70)):
        small.depth.set(depth)
        small.ready.set(ready)
        small.free.set(free)
    found = values(added([one.reading(), other.reading()]))
    assert (found["c_total", "a"], found["c_total", "b"]) == (5, 1)
    assert [found["h_seconds_bucket", "s", le] for le in ("1.0", "2.0", "+Inf")] == [1, 2, 2]
    assert (found["h_seconds_sum", "s"], found["h_seconds_count", "s"]) == (2.0, 2)
    assert found["splitdnn_cloud_queue_depth",] == 9
    assert found["splitdnn_cloud_ready",] == 1
    assert found["splitdnn_cloud_ledger_disk_free_bytes",] == 70, "0: the other has not looked yet"


def test_of_two_readings_at_a_time_the_earlier_is_not_noted_after_the_later():
    one, sums = Small(), Sums()
    early = one.reading()
    one.count.labels("a").inc()
    sums.note(1, one.reading(), 2)
    sums.note(1, early, 1)
    assert values(sums.whole([]))["c_total", "a"] == 1
    sums.retire(1)
    sums.note(1, early, 0)  # another worker, in its place
    assert values(sums.whole([]))["c_total", "a"] == 1


def test_no_counter_falls_when_a_worker_ends_and_its_gauges_go():
    one, other = Small(), Small()
    sums = Sums()
    total = 0.0
    for step in range(6):
        one.count.labels("a").inc()
        one.depth.set(step)
        sums.note(1, one.reading(), step)
        sums.note(2, other.reading(), step)
        if step % 2:  # it dies and comes back with nothing
            sums.retire(1)
            one = Small()
        found = values(sums.whole([]))
        assert found["c_total", "a"] >= total
        total = found["c_total", "a"]
        assert found["splitdnn_cloud_queue_depth",] == (0 if step % 2 else step)
    assert total == 6
    sums.retire(7)  # one that was never read


def test_what_was_added_reads_as_the_metrics_of_one():
    metrics = CloudMetrics()
    export_build_info(metrics.registry, "cloud", model="m")
    metrics.requests.labels(endpoint="/model", code="200").inc(3)
    metrics.queue_wait.observe(0.01)
    sums = Sums({1: families_of(metrics.registry)})
    for accept in ("", "application/openmetrics-text; version=1.0.0"):
        alone = exposition(metrics.registry, accept)[1].decode().splitlines()
        several = exposition(Collected(sums.whole([])), accept)[1].decode().splitlines()
        differ = [line for line in set(alone) ^ set(several) if not line.startswith("process_")]
        assert differ == [], accept
        assert len(alone) == len(several) > 300


def test_somebody_has_decided_how_each_gauge_is_added():
    metrics = CloudMetrics()
    export_build_info(metrics.registry, "cloud", model="m")
    families = [*metrics.registry.collect(), *ParentMetrics(2).registry.collect()]
    gauges = {family.name for family in families if family.type == "gauge"}
    decided = [GREATEST, LEAST, ADDED]
    assert gauges == frozenset().union(*decided)
    assert sum(map(len, decided)) == len(gauges), "each in one of them"
    assert {family.type for family in families} <= {"gauge", "counter", "histogram"}
