"""Where the time goes: one stopwatch per frame, one histogram per side; and what is running."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

from prometheus_client import Gauge
from prometheus_client.exposition import choose_encoder

from shared import __version__
from shared.wire.frame import VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client import CollectorRegistry, Metric

    from shared.observing.counting.counter import Counter
    from shared.observing.counting.histogram import Histogram

# For durations of 1 ms to 10 s. The alerts' thresholds (monitoring/) are among the bounds, so that quantiles are exact there.
DURATION_BUCKETS = (
    0.001,
    0.002,
    0.005,
    0.01,
    0.02,
    0.03,
    0.05,
    0.075,
    0.1,
    0.15,
    0.2,
    0.3,
    0.5,
    0.75,
    1,
    2,
    5,
    10,
)
BYTES_BUCKETS = tuple(float(1 << power) for power in range(8, 25))  # 256 B to 16 MiB
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64)


class Stopwatch:
    """Times the steps of one frame.

    `seconds` holds the durations by step, in order. Each is observed in the histogram as well, so that records and dashboard
    agree.
    """

    def __init__(
        self, histogram: Histogram, cpu: Counter, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """`cpu` counts the processor time of `step`; `clock` returns seconds."""
        self._histogram = histogram
        self._cpu = cpu
        self._clock = clock
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time the block. A block that raises counts too: its time was spent."""
        start, cpu_start = self._clock(), time.thread_time()
        try:
            yield
        finally:
            self._cpu.labels(name).inc(time.thread_time() - cpu_start)
            self.note(name, self._clock() - start)

    def note(self, name: str, seconds: float) -> None:
        """Record a duration that was measured elsewhere."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        self._histogram.labels(stage=name).observe(seconds)

    def milliseconds(self) -> dict[str, float]:
        """The durations by step, in milliseconds, rounded to microseconds."""
        return {name: round(1e3 * seconds, 3) for name, seconds in self.seconds.items()}


@contextmanager
def computing(counter: Counter, step: str) -> Iterator[None]:
    """Count the processor time that this thread spends in the block, which must not await.

    The time of an engine's own threads is not included; with one thread there are none.
    """
    start = time.thread_time()
    try:
        yield
    finally:
        counter.labels(step).inc(time.thread_time() - start)


class Readable(Protocol):
    """What metrics are read from, as from a registry."""

    def collect(self) -> Iterable[Metric]:
        """All of them."""


def exposition(registry: Readable, accept: str) -> tuple[str, bytes]:
    """Content type and body of `/metrics` in the format that the scraper prefers, by its Accept header."""
    try:
        encode, content_type = choose_encoder(accept)
    except TypeError:  # raised for a version that is not a number
        encode, content_type = choose_encoder("")
    return content_type, encode(registry)


_build_infos: WeakKeyDictionary[CollectorRegistry, Gauge] = WeakKeyDictionary()


def has_build_info(registry: CollectorRegistry) -> bool:
    """Whether `splitdnn_build_info` is exported already."""
    return registry in _build_infos


def export_build_info(registry: CollectorRegistry, component: str, **labels: str) -> None:
    """Export `splitdnn_build_info` = 1, with what is running now in its labels: in place of what was exported before."""
    values = {"component": component, "version": __version__, "wire_version": str(VERSIONS[-1]), **labels}
    gauge = _build_infos.get(registry)
    if gauge is None:
        gauge = Gauge("splitdnn_build_info", "What is running; always 1.", list(values), registry=registry)
        _build_infos[registry] = gauge
    gauge.clear()
    gauge.labels(**values).set(1)
