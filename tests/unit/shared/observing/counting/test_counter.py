"""The counter counts and is exported as prometheus_client's is."""

from __future__ import annotations

import threading
from typing import Any

import prometheus_client
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics import exposition as openmetrics

from shared.observing.counting.counter import Counter
from shared.observing.counting.pending import MOST


@pytest.mark.parametrize("labelnames", [[], ["client", "outcome"]])
def test_it_is_exported_as_the_clients_own(labelnames: list[str]) -> None:
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]

    def exported(kind: Any) -> list[bytes]:
        registry = CollectorRegistry()
        counter = kind("frames_total", "How many.", labelnames, registry=registry)
        for number in range(2 * MOST + 3):
            if labelnames:
                counter.labels('a "quoted" name', "answered").inc(0.1 * number)
                counter.labels(outcome="refused", client="b").inc()
            else:
                counter.inc(0.1 * number)
                counter.inc()
        if labelnames:
            counter.labels("never", "answered")
        return [
            encode(registry) for encode in (prometheus_client.generate_latest, openmetrics.generate_latest)
        ]

    assert exported(Counter) == exported(prometheus_client.Counter)


def test_it_does_not_go_down() -> None:
    counter = Counter("frames_total", "f", registry=CollectorRegistry())
    with pytest.raises(ValueError, match="cannot go down"):
        counter.inc(-1)


def test_wrong_labels_are_told() -> None:
    counter = Counter("frames_total", "f", ["client", "outcome"], registry=CollectorRegistry())
    with pytest.raises(ValueError, match="accepted"):
        counter.labels("a")
    with pytest.raises(ValueError, match="accepted"):
        counter.labels(client="a", outcome="answered", reason="none")


def test_a_name_is_taken_once() -> None:
    registry = CollectorRegistry()
    Counter("frames_total", "f", registry=registry)
    with pytest.raises(ValueError, match="Duplicated"):
        prometheus_client.Counter("frames", "f", registry=registry)


def test_threads_lose_nothing_while_others_read() -> None:
    registry = CollectorRegistry()
    counter = Counter("frames_total", "f", ["client"], registry=registry)
    read: list[float] = []

    def count() -> None:
        for _ in range(5000):
            counter.labels("a").inc()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        read.append(counter.labels("a").value())
    for thread in threads:
        thread.join()
    assert read == sorted(read)
    assert registry.get_sample_value("frames_total", {"client": "a"}) == 20_000
