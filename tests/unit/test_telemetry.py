"""The stopwatch, with a clock that only moves when told, and the bucket sets."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Histogram

from shared import __version__, telemetry
from shared.telemetry import Stopwatch
from shared.wire import MAX_PAYLOAD_BYTES, VERSION


class Clock:
    """Seconds that pass only by assignment."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def histogram(registry: CollectorRegistry) -> Histogram:
    return Histogram(
        "stage_duration_seconds", "t", ["stage"], buckets=telemetry.DURATION_BUCKETS, registry=registry
    )


def observed(registry: CollectorRegistry, stage: str) -> tuple[float | None, float | None]:
    labels = {"stage": stage}
    return (
        registry.get_sample_value("stage_duration_seconds_count", labels),
        registry.get_sample_value("stage_duration_seconds_sum", labels),
    )


def test_a_stage_is_in_the_record_and_in_the_histogram(
    registry: CollectorRegistry, histogram: Histogram
) -> None:
    clock = Clock()
    watch = Stopwatch(histogram, clock)
    with watch.stage("decode"):
        clock.now += 0.25
    clock.now += 3
    with watch.stage("tail"):
        clock.now += 0.5
    assert watch.seconds == {"decode": 0.25, "tail": 0.5}
    assert list(watch.seconds) == ["decode", "tail"]
    assert observed(registry, "decode") == (1, 0.25)
    assert observed(registry, "tail") == (1, 0.5)


def test_a_stage_that_fails_counts_and_its_error_goes_on(
    registry: CollectorRegistry, histogram: Histogram
) -> None:
    clock = Clock()
    watch = Stopwatch(histogram, clock)
    with pytest.raises(KeyError, match="lost"), watch.stage("decode"):
        clock.now += 0.125
        raise KeyError("lost")
    assert watch.seconds == {"decode": 0.125}
    assert observed(registry, "decode") == (1, 0.125)


def test_a_stage_entered_twice_adds_up(registry: CollectorRegistry, histogram: Histogram) -> None:
    clock = Clock()
    watch = Stopwatch(histogram, clock)
    for _ in range(2):
        with watch.stage("encode"):
            clock.now += 0.5
    assert watch.seconds == {"encode": 1.0}
    assert observed(registry, "encode") == (2, 1.0)


def test_a_duration_measured_elsewhere_is_noted(registry: CollectorRegistry, histogram: Histogram) -> None:
    watch = Stopwatch(histogram, Clock())
    watch.note("queue", 0.0421874)
    assert observed(registry, "queue") == (1, 0.0421874)
    assert watch.milliseconds() == {"queue": 42.187}


@pytest.mark.parametrize(
    "buckets", [telemetry.DURATION_BUCKETS, telemetry.BYTES_BUCKETS, telemetry.BATCH_BUCKETS]
)
def test_bounds_rise(buckets: tuple[float, ...]) -> None:
    assert list(buckets) == sorted(set(buckets))


def test_bounds_span_what_the_service_does() -> None:
    assert telemetry.DURATION_BUCKETS[0] == 0.001
    assert telemetry.DURATION_BUCKETS[-1] == 10
    assert telemetry.BYTES_BUCKETS[0] == 256
    assert telemetry.BYTES_BUCKETS[-1] == 16 << 20 <= MAX_PAYLOAD_BYTES


def test_build_info_is_one_with_what_is_running(registry: CollectorRegistry) -> None:
    telemetry.export_build_info(registry, "edge", model="resnet50", fingerprint="00ff")
    labels = {
        "component": "edge", "version": __version__, "wire_version": str(VERSION),
        "model": "resnet50", "fingerprint": "00ff",
    }  # fmt: skip
    assert registry.get_sample_value("splitdnn_build_info", labels) == 1
