"""What a person watching the edge reads on stdout."""

from __future__ import annotations

import shutil
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.output.results import Record

_WINDOW = 200
_WINDOW_S = 5.0
_LIVE_PERIOD_S = 0.2
_LOG_PERIOD_S = 5.0


def human_bytes(count: float) -> str:
    """`812 B`, `79.5 kB`, `1.61 MB`."""
    for unit, size in (("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} B"


def print_frame(record: Record, out: TextIO | None = None) -> None:
    """One line a frame."""
    classes = (
        ", ".join(f"{top['label']} {100 * top['probability']:.1f} %" for top in record.top) or "no answer"
    )
    print(
        f"frame {record.frame:6d}  {record.split_point} {record.codec} {human_bytes(record.payload_bytes)}  "
        f"{record.latency_ms:.0f} ms  {record.answered_by}  {classes}",
        file=out or sys.stdout,
        flush=True,
    )


class ProgressPrinter:
    """A progress line, rewritten on a terminal and repeated in a log, and a line whenever the top class changes."""

    def __init__(self, out: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out or sys.stdout
        self._live = self._out.isatty()
        self._period_s = _LIVE_PERIOD_S if self._live else _LOG_PERIOD_S
        self._clock = clock
        self._recent: deque[tuple[float, Record]] = deque(maxlen=_WINDOW)
        self._label: str | None = None
        self._printed_at = clock()

    def __call__(self, record: Record) -> None:
        now = self._clock()
        self._recent.append((now, record))
        while now - self._recent[0][0] > _WINDOW_S:  # what stood still a while ago is no longer the rate
            self._recent.popleft()
        if record.top and record.top[0]["label"] != self._label:
            self._label = record.top[0]["label"]
            percent = 100 * record.top[0]["probability"]
            self._print(
                f"frame {record.frame}: {self._label} ({percent:.1f} %), answered by {record.answered_by}"
            )
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
        # Still frames cost nothing, so they are no part of a rate or a mean; the first one only starts the clock.
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
            f"{record.split_point} {record.codec}  by edge {100 * by_edge // count} %{still}  {self._label or ''}"
        )
