"""The stopwatch, with a clock that only moves when told, the processor time beside it, and the bucket sets."""

from __future__ import annotations

import inspect
import threading
import time

import pytest
from prometheus_client import CollectorRegistry

from shared import __version__
from shared.limits import MAX_PAYLOAD_BYTES
from shared.observing import telemetry
from shared.observing.counting.counter import Counter
from shared.observing.counting.histogram import Histogram
from shared.observing.telemetry import Stopwatch, computing
from shared.wire.frame import VERSIONS


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


@pytest.fixture
def cpu(registry: CollectorRegistry) -> Counter:
    return Counter("stage_cpu_seconds_total", "t", ["stage"], registry=registry)


def spent(registry: CollectorRegistry, stage: str) -> float | None:
    """Processor time counted for a step."""
    return registry.get_sample_value("stage_cpu_seconds_total", {"stage": stage})


def burn(seconds: float) -> None:
    """Compute until this thread has had so much of the processor."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def observed(registry: CollectorRegistry, stage: str) -> tuple[float | None, float | None]:
    labels = {"stage": stage}
    return (
        registry.get_sample_value("stage_duration_seconds_count", labels),
        registry.get_sample_value("stage_duration_seconds_sum", labels),
    )


def test_a_step_is_in_the_record_and_in_the_histogram(
    registry: CollectorRegistry, histogram: Histogram, cpu: Counter
) -> None:
    clock = Clock()
    watch = Stopwatch(histogram, cpu, clock)
    with watch.step("decode"):
        clock.now += 0.25
    clock.now += 3
    with watch.step("tail"):
        clock.now += 0.5
    assert watch.seconds == {"decode": 0.25, "tail": 0.5}
    assert list(watch.seconds) == ["decode", "tail"]
    assert observed(registry, "decode") == (1, 0.25)
    assert observed(registry, "tail") == (1, 0.5)


def test_a_step_that_fails_counts_and_its_error_goes_on(
    registry: CollectorRegistry, histogram: Histogram, cpu: Counter
) -> None:
    clock = Clock()
    watch = Stopwatch(histogram, cpu, clock)
    with pytest.raises(KeyError, match="lost"), watch.step("decode"):
        clock.now += 0.125
        raise KeyError("lost")
    assert watch.seconds == {"decode": 0.125}
    assert observed(registry, "decode") == (1, 0.125)


def test_a_step_entered_twice_adds_up(
    registry: CollectorRegistry, histogram: Histogram, cpu: Counter
) -> None:
    clock = Clock()
    watch = Stopwatch(histogram, cpu, clock)
    for _ in range(2):
        with watch.step("encode"):
            clock.now += 0.5
    assert watch.seconds == {"encode": 1.0}
    assert observed(registry, "encode") == (2, 1.0)


def test_a_duration_measured_elsewhere_is_noted(
    registry: CollectorRegistry, histogram: Histogram, cpu: Counter
) -> None:
    watch = Stopwatch(histogram, cpu, Clock())
    watch.note("queue", 0.0421874)
    assert observed(registry, "queue") == (1, 0.0421874)
    assert watch.milliseconds() == {"queue": 42.187}
    assert spent(registry, "queue") is None  # it was elsewhere, whatever it took there


def test_by_default_a_step_is_timed_by_the_performance_counter(histogram: Histogram, cpu: Counter) -> None:
    assert inspect.signature(Stopwatch).parameters["clock"].default is time.perf_counter
    watch = Stopwatch(histogram, cpu)
    before = time.perf_counter()
    with watch.step("send"):
        burn(0.001)
    assert 0.001 <= watch.seconds["send"] <= time.perf_counter() - before


def test_a_step_that_waits_is_not_at_work(
    registry: CollectorRegistry, histogram: Histogram, cpu: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, thread_clock = Clock(), Clock()
    monkeypatch.setattr(telemetry.time, "thread_time", thread_clock)
    watch = Stopwatch(histogram, cpu, clock)
    with watch.step("send"):
        clock.now += 3600
        thread_clock.now += 0.25
    assert watch.seconds == {"send": 3600}
    assert spent(registry, "send") == 0.25


def test_a_step_counts_the_processor_time_of_its_own_thread(
    registry: CollectorRegistry, histogram: Histogram, cpu: Counter
) -> None:
    watch = Stopwatch(histogram, cpu, Clock())
    stop = threading.Event()
    other = threading.Thread(target=lambda: [burn(0.001) for _ in iter(stop.is_set, True)])
    other.start()
    try:
        before = time.thread_time()
        with watch.step("head"):
            burn(0.03)
        after = time.thread_time()
    finally:
        stop.set()
        other.join()
    assert 0.03 <= spent(registry, "head") <= after - before
    assert watch.seconds["head"] == 0  # its own clock stood still


def test_computing_counts_a_block_that_raises_and_adds_up(registry: CollectorRegistry, cpu: Counter) -> None:
    with pytest.raises(KeyError), computing(cpu, "tail"):
        burn(0.01)
        raise KeyError
    first = spent(registry, "tail")
    assert first >= 0.01
    with computing(cpu, "tail"), computing(cpu, "inner"):
        burn(0.01)
    assert spent(registry, "tail") >= first + 0.01
    assert spent(registry, "inner") >= 0.01
    with computing(cpu, "nothing"):
        pass
    assert 0 <= spent(registry, "nothing") < 0.01


def test_each_thread_counts_what_it_took_itself(registry: CollectorRegistry, cpu: Counter) -> None:
    def work(seconds: float) -> None:
        with computing(cpu, f"{seconds}"):
            burn(seconds)
            everybody.wait(60)

    everybody = threading.Barrier(2)
    threads = [threading.Thread(target=work, args=(seconds,)) for seconds in (0.01, 0.04)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0.01 <= spent(registry, "0.01") < 0.03
    assert spent(registry, "0.04") >= 0.04


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
        "component": "edge", "version": __version__, "wire_version": str(VERSIONS[-1]),
        "model": "resnet50", "fingerprint": "00ff",
    }  # fmt: skip
    assert registry.get_sample_value("splitdnn_build_info", labels) == 1


def test_another_network_takes_the_place_of_the_one_before(registry: CollectorRegistry) -> None:
    assert not telemetry.has_build_info(registry)
    for fingerprint in ("00ff", "ff00"):
        telemetry.export_build_info(registry, "cloud", model="resnet50", fingerprint=fingerprint)
    assert telemetry.has_build_info(registry)
    samples = [sample for metric in registry.collect() for sample in metric.samples]
    assert [sample.labels["fingerprint"] for sample in samples if sample.name == "splitdnn_build_info"] == [
        "ff00"
    ]
