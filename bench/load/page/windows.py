"""An edge's CPU over a stretch of time, with so many viewers."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, NamedTuple, Self

from bench.harness.process import cpu_s
from bench.load.page.viewer import Eyes, Viewer
from bench.report.spread import percentile

if TYPE_CHECKING:
    from bench.harness.system import Edge

_SETTLE_S = 1.0
_FLOW_S = 240.0


class Window(NamedTuple):
    """What one stretch gave."""

    cpu_percent: float
    """Percent of one core."""
    frames_per_s: float
    latency_p95_ms: float
    states_per_s: float
    """To each viewer."""
    pictures_per_s: float


class Frames:
    """Reads the records of an edge on a thread, so that it never waits for us, and keeps their latencies."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self.latencies_ms: list[float] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._failure = ""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._edge.close()  # ends the thread too
        self._thread.join(_SETTLE_S)

    def _read(self) -> None:
        try:
            for record, _arrived in self._edge.records():
                self.latencies_ms.append(record["latency_ms"])
        except (RuntimeError, ValueError, OSError) as error:  # it has ended
            self._failure = str(error)

    def flow(self) -> None:
        """Wait for the first ones. Raises RuntimeError if none come."""
        deadline = time.monotonic() + _FLOW_S
        while len(self.latencies_ms) < 10:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError(f"no frames are answered: {self._failure}\n{self._edge.said()}")
            time.sleep(0.05)


def window(edge: Edge, frames: Frames, viewers: int, seconds: float) -> Window:
    """Measure with so many viewers of the edge's page. Raises RuntimeError if one of them was cut off, or frames ended."""
    with contextlib.ExitStack() as stack:
        watching = [stack.enter_context(Viewer(edge.url, Eyes())) for _ in range(viewers)]
        time.sleep(_SETTLE_S)
        before = [(each.states, each.seen) for each in watching]
        begun, first, spent = time.monotonic(), len(frames.latencies_ms), cpu_s(edge.pid)
        time.sleep(seconds)
        spent, took = cpu_s(edge.pid) - spent, time.monotonic() - begun
        latencies = frames.latencies_ms[first:]
        told = [
            (each.states - states, each.seen - seen)
            for each, (states, seen) in zip(watching, before, strict=True)
        ]
        failures = [each.failure for each in watching if each.failure]
    if failures or not latencies:
        raise RuntimeError(f"a viewer or the edge failed: {failures}\n{edge.said()}")
    return Window(
        cpu_percent=100 * spent / took,
        frames_per_s=len(latencies) / took,
        latency_p95_ms=percentile(latencies, 95),
        states_per_s=_each(told, 0, took),
        pictures_per_s=_each(told, 1, took),
    )


def _each(told: list[tuple[int, int]], place: int, took_s: float) -> float:
    """A second, of one viewer; 0 without viewers."""
    return sum(each[place] for each in told) / took_s / max(1, len(told))
