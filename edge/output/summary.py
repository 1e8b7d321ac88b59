"""The closing summary: what became of the frames, how long they took, and where the time went."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING

from edge.output.printer import human_bytes

if TYPE_CHECKING:
    from edge.output.results import Record

_REMEMBERED = 10_000
"""Percentiles are over at most the latest so many frames: a camera runs for months."""


class Summary:
    """Collects records; `text` is printed at the end."""

    def __init__(self) -> None:
        self._answered: Counter[str] = Counter()
        self._bytes = 0
        self._latencies: deque[float] = deque(maxlen=_REMEMBERED)
        self._steps: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_REMEMBERED))

    def __call__(self, record: Record) -> None:
        self._answered[record.answered_by] += 1
        self._bytes += record.payload_bytes
        if record.answered_by != "still":  # or a still scene would look like a fast system
            self._latencies.append(record.latency_ms)
        for name, milliseconds in record.stages_ms.items():
            self._steps[name].append(milliseconds)

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
                "",
                f"{'stage':<18}{'p50 ms':>9}{'p95 ms':>9}",
            ]
            lines += [
                f"{name:<18}{_percentile(values, 50):9.1f}{_percentile(values, 95):9.1f}"
                for name, values in self._steps.items()
            ]
        return "\n".join(lines)


def _percentile(values: deque[float], percent: int) -> float:
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
