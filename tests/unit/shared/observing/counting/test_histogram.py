"""The histogram counts and is exported as prometheus_client's is."""

from __future__ import annotations

import threading
from typing import Any

import prometheus_client
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics import exposition as openmetrics

from shared.observing.counting.histogram import Histogram

BOUNDS = (0.5, 1, 2.5)
AMOUNTS = (0.0, 0.25, 0.5, 0.75, 1.0, 2.5, 3.0, 1e9)


@pytest.mark.parametrize("labelnames", [[], ["stage"]])
def test_it_is_exported_as_the_clients_own(labelnames: list[str]) -> None:
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]

    def exported(kind: Any) -> list[bytes]:
        registry = CollectorRegistry()
        histogram = kind("took_seconds", "How long it took.", labelnames, buckets=BOUNDS, registry=registry)
        for value in ("head", 'a "quoted" tail'):
            series = histogram.labels(stage=value) if labelnames else histogram
            for amount in AMOUNTS:
                series.observe(amount)
        if labelnames:
            histogram.labels(stage="never")
        return [
            encode(registry) for encode in (prometheus_client.generate_latest, openmetrics.generate_latest)
        ]

    assert exported(Histogram) == exported(prometheus_client.Histogram)
    assert b'took_seconds_bucket{le="+Inf"' in exported(Histogram)[0] or labelnames


def test_a_name_is_taken_once() -> None:
    registry = CollectorRegistry()
    Histogram("took_seconds", "t", buckets=BOUNDS, registry=registry)
    with pytest.raises(ValueError, match="Duplicated"):
        prometheus_client.Counter("took_seconds_count", "t", registry=registry)
    with pytest.raises(ValueError, match="Duplicated"):
        Histogram("took_seconds", "t", buckets=BOUNDS, registry=registry)


def test_threads_lose_no_observation() -> None:
    registry = CollectorRegistry()
    histogram = Histogram("took_seconds", "t", ["stage"], buckets=BOUNDS, registry=registry)

    def observe() -> None:
        for _ in range(2000):
            histogram.labels(stage="head").observe(1.0)

    threads = [threading.Thread(target=observe) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in ("count", "sum"):
        assert registry.get_sample_value(f"took_seconds_{name}", {"stage": "head"}) == 8000
