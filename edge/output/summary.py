"""The summary that the edge prints at the end."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING

from edge.output.printer import human_bytes

if TYPE_CHECKING:
    from edge.output.results import Record

_MAX_REMEMBERED = 10_000
"""Frames that the percentiles are taken over, and names that are counted, at most: a camera runs for months."""
_MAX_SHOWN = 10
"""Names."""


class Summary:
    """Collects records; `text` says what became of the frames, what they showed, how long they took and where the time went."""

    def __init__(self) -> None:
        self._answered: Counter[str] = Counter()
        self._seen: Counter[str] = Counter()
        """The number of frames in which each name was seen."""
        self._bytes = 0
        self._latencies: deque[float] = deque(maxlen=_MAX_REMEMBERED)
        self._steps: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_MAX_REMEMBERED))

    def __call__(self, record: Record) -> None:
        self._answered[record.answered_by] += 1
        self._bytes += record.payload_bytes
        if record.answered_by != "still":  # or a still scene would look like a fast system
            self._latencies.append(record.latency_ms)
        for name, milliseconds in record.stages_ms.items():
            self._steps[name].append(milliseconds)
        for name in set(record.answer.shows()):
            if name in self._seen or len(self._seen) < _MAX_REMEMBERED:
                self._seen[name] += 1

    def text(self, dropped: int, seconds: float) -> str:
        """Several lines. `dropped` frames were read but left out to keep up; the run took `seconds`."""
        still = self._answered["still"]
        answered = sum(self._answered.values()) - still
        lines = [
            f"frames in           {answered + still + dropped}",
            f"answered by cloud   {self._answered['cloud']}",
            f"answered by edge    {self._answered['edge']}",
            f"dropped             {dropped}",
        ]
        if still:
            lines.append(f"still, not sent     {still}")
        if self._answered["nobody"]:
            lines.append(f"failed              {self._answered['nobody']}")
        if answered:
            lines += [
                f"frames/s            {answered / seconds:.2f}",
                f"bytes/frame         {human_bytes(self._bytes / answered)}",
                *([f"  with the still    {human_bytes(self._bytes / (answered + still))}"] if still else []),
                f"latency p50 / p95   {_percentile(self._latencies, 50):.1f} / {_percentile(self._latencies, 95):.1f} ms",
                *self._seen_lines(),
                "",
                f"{'step':<18}{'p50 ms':>9}{'p95 ms':>9}",
            ]
            lines += [
                f"{name:<18}{_percentile(values, 50):9.1f}{_percentile(values, 95):9.1f}"
                for name, values in self._steps.items()
            ]
        return "\n".join(lines)

    def _seen_lines(self) -> list[str]:
        """What was seen in most frames."""
        if not self._seen:
            return []
        shown = self._seen.most_common(_MAX_SHOWN)
        lines = ["", f"{'seen':<28}{'frames':>8}"]
        lines += [f"{name if len(name) < 28 else name[:26] + '…':<28}{frames:8}" for name, frames in shown]
        others = len(self._seen) - len(shown)
        return [*lines, f"and {others} more"] if others else lines


def _percentile(values: deque[float], percent: int) -> float:
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
