"""What the edge prints: a line for each frame, or its progress, and a summary at the end."""

from __future__ import annotations

import shutil
import statistics
import sys
import time
from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.output.results import Record

_WINDOW = 200
_WINDOW_S = 5.0
_LIVE_PERIOD_S = 0.2
_LOG_PERIOD_S = 5.0
_MAX_REMEMBERED = 10_000
"""Frames that the summary's percentiles are taken over, at most: a camera runs for months."""


def human_bytes(count: float) -> str:
    """`812 B`, `79.5 kB`, `1.61 MB`."""
    for unit, size in (("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} B"


def print_frame(record: Record, out: TextIO | None = None) -> None:
    """One line for one frame, on `out` or on standard output."""
    found = ", ".join(f"{name} {100 * probability:.1f} %" for name, probability in record.answer.findings())
    print(
        f"frame {record.frame:6d}  {record.split_point} {record.codec} {human_bytes(record.payload_bytes)}  "
        f"{record.latency_ms:.0f} ms  {record.answered_by}  {found or record.answer.headline() or 'no answer'}",
        file=out or sys.stdout,
        flush=True,
    )


class ProgressPrinter:
    """A progress line, rewritten on a terminal and repeated in a log, and a line whenever the headline changes."""

    def __init__(self, out: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out or sys.stdout
        self._live = self._out.isatty()
        self._period_s = _LIVE_PERIOD_S if self._live else _LOG_PERIOD_S
        self._clock = clock
        self._recent: deque[tuple[float, Record]] = deque(maxlen=_WINDOW)
        self._headline = ""
        self._printed_at = clock()

    def __call__(self, record: Record) -> None:
        now = self._clock()
        self._recent.append((now, record))
        while now - self._recent[0][0] > _WINDOW_S:  # older frames do not belong to the present rate
            self._recent.popleft()
        headline = record.answer.headline()
        if headline and headline != self._headline:
            self._headline = headline
            findings = record.answer.findings()
            sure = f" ({100 * findings[0][1]:.1f} %)" if findings else ""
            self._print(f"frame {record.frame}: {headline}{sure}, answered by {record.answered_by}")
        if now - self._printed_at >= self._period_s:
            self._printed_at = now
            line = self._progress(record)
            if self._live:
                line = line[: shutil.get_terminal_size().columns - 1]  # a wrapped line could not be rewritten
                print(f"\r\x1b[K{line}", end="", file=self._out, flush=True)
            else:
                self._print(line)

    def close(self) -> None:
        """Leave the progress line behind."""
        if self._live:
            print(file=self._out)

    def _print(self, line: str) -> None:
        print(f"\r\x1b[K{line}" if self._live else line, file=self._out, flush=True)

    def _progress(self, record: Record) -> str:
        # Still frames cost nothing, so no rate or mean includes them; the first frame only starts the clock.
        records = [each for _, each in self._recent if each.answered_by != "still"]
        elapsed = self._recent[-1][0] - self._recent[0][0]
        later = len(records) - (self._recent[0][1].answered_by != "still")
        rate = later / elapsed if elapsed > 0 else 0.0
        count = max(1, len(records))
        sent = sum(each.payload_bytes for each in records) / count
        latency = sorted(each.latency_ms for each in records)[len(records) // 2] if records else 0.0
        by_edge = sum(each.answered_by == "edge" for each in records)
        share_still = 100 * (len(self._recent) - len(records)) // len(self._recent)
        still = f"  still {share_still} %" if share_still else ""
        return (
            f"{record.frame + 1} frames  {rate:.1f} frames/s  {human_bytes(sent)}/frame  {latency:.0f} ms  "
            f"{record.split_point} {record.codec}  by edge {100 * by_edge // count} %{still}  {self._headline}"
        )


class Summary:
    """Collects records; `text` says what became of the frames, how long they took and where the time went."""

    def __init__(self) -> None:
        self._answered: Counter[str] = Counter()
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
                f"{'step':<18}{'p50 ms':>9}{'p95 ms':>9}",
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
