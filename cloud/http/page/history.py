"""The last minutes of all workers together, as the page draws them."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cloud.http.page.recent import SECONDS, middle_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloud.http.page.recent import Row

LATELY = 10
"""Seconds that what is said of the moment is the mean of."""
_LATE = 3
"""A worker's second is complete in every reading that begins so many seconds after it."""


@dataclass(slots=True)
class Point:
    """One second of all workers."""

    frames: int = 0
    received: int = 0
    refused: int = 0
    queue: int = 0
    cores: float = 0.0
    latencies: Counter[int] = field(default_factory=Counter)
    median_ms: float | None = None
    slow_ms: float | None = None

    def add(self, row: Row) -> None:
        """Count a worker's second in."""
        _, frames, received, refused, queue, cores, latencies = row
        self.frames += frames
        self.received += received
        self.refused += refused
        self.queue += queue
        self.cores += cores
        for step, count in latencies.items():
            self.latencies[int(step)] += count


class History:
    """Joined from what the workers say, and only what is new is joined anew."""

    def __init__(self) -> None:
        self._points: deque[Point] = deque(maxlen=SECONDS)
        """Seconds that change no more."""
        self.since = 0
        """The first second that does."""
        self._open: list[Point] = []

    def take(self, rows: Iterable[Row], second: int) -> None:
        """All workers' seconds from `since` on; `second` is the one that is not over yet."""
        self.since = max(self.since, second - SECONDS - _LATE)
        found = {at: Point() for at in range(self.since, second)}
        for row in rows:
            if row[0] in found:
                found[row[0]].add(row)
        for point in found.values():
            point.median_ms, point.slow_ms = quantiles(point.latencies)
        settled = max(self.since, second - _LATE)
        self._points.extend(point for at, point in found.items() if at < settled)
        self._open = [point for at, point in found.items() if at >= settled]
        self.since = settled

    def drawn(self, most: float) -> dict[str, Any]:
        """The seconds as JSON, at most so many, the latest last."""
        points = self._latest(max(1, int(most)))
        return {
            "slots": SECONDS,
            "step_s": 1,
            "frames": [each.frames for each in points],
            "bytes": [each.received for each in points],
            "refused": [each.refused for each in points],
            "queue": [each.queue for each in points],
            "cores": [round(each.cores, 2) for each in points],
            "median_ms": [each.median_ms for each in points],
            "slow_ms": [each.slow_ms for each in points],
        }

    def lately(self) -> dict[str, Any]:
        """The moment as JSON."""
        points = self._latest(LATELY)
        latencies: Counter[int] = Counter()
        for each in points:
            latencies.update(each.latencies)
        median_ms, slow_ms = quantiles(latencies)
        return {
            "frames_per_s": sum(each.frames for each in points) / LATELY,
            "bytes_per_s": sum(each.received for each in points) / LATELY,
            "refused_per_s": sum(each.refused for each in points) / LATELY,
            "cores": round(sum(each.cores for each in points) / LATELY, 3),
            "median_ms": median_ms,
            "slow_ms": slow_ms,
        }

    def _latest(self, most: int) -> list[Point]:
        return [*self._points, *self._open][-min(most, SECONDS) :]


def quantiles(latencies: Counter[int]) -> tuple[float | None, float | None]:
    """The milliseconds that half of these, and 99 of a hundred, do not exceed; to a tenth."""
    return _quantile(latencies, 0.5), _quantile(latencies, 0.99)


def _quantile(latencies: Counter[int], share: float) -> float | None:
    left = share * latencies.total()
    for step in sorted(latencies):
        left -= latencies[step]
        if left <= 0:
            return float(f"{middle_of(step):.3g}")
    return None
