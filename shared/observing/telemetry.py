"""Where the time goes: one stopwatch a frame, one histogram a side; and what is running."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prometheus_client import Gauge
from prometheus_client.exposition import choose_encoder

from shared import __version__
from shared.wire.frame import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client import CollectorRegistry, Counter, Histogram

# A service of 1 ms to 10 s. The alerts' thresholds (monitoring/) are bounds, so that their quantiles are exact there.
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

    `seconds` holds what was measured, in order; each step is observed in the histogram as well, so the sum over a
    frame's record and the dashboard agree.
    """

    def __init__(
        self, histogram: Histogram, cpu: Counter, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """`cpu` counts what `step` took of the processor."""
        self._histogram = histogram
        self._cpu = cpu
        self._clock = clock
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time the block; a block that raises counts as well, as its time was spent."""
        start = self._clock()
        try:
            with computing(self._cpu, name):
                yield
        finally:
            self.note(name, self._clock() - start)

    def note(self, name: str, seconds: float) -> None:
        """Record a duration that was measured elsewhere."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        self._histogram.labels(stage=name).observe(seconds)

    def milliseconds(self) -> dict[str, float]:
        return {name: round(1e3 * seconds, 3) for name, seconds in self.seconds.items()}


@contextmanager
def computing(counter: Counter, step: str) -> Iterator[None]:
    """Count the processor time that this thread spends in the block; the block must not await.

    What an engine's own threads compute for it is not in it: with one thread there are none.
    """
    start = time.thread_time()
    try:
        yield
    finally:
        counter.labels(stage=step).inc(time.thread_time() - start)


def exposition(registry: CollectorRegistry, accept: str) -> tuple[str, bytes]:
    """Content type and body of `/metrics`, in the format that the scraper's Accept header prefers."""
    try:
        encode, content_type = choose_encoder(accept)
    except TypeError:  # what it raises on a version that is not a number
        encode, content_type = choose_encoder("")
    return content_type, encode(registry)


def export_build_info(registry: CollectorRegistry, component: str, **labels: str) -> None:
    """`splitdnn_build_info` = 1 with what is running as labels."""
    values = {"component": component, "version": __version__, "wire_version": str(VERSION), **labels}
    Gauge("splitdnn_build_info", "What is running; always 1.", list(values), registry=registry).labels(
        **values
    ).set(1)
