"""What the edge prints while it runs: a line for each frame, or its progress and what is seen as it changes."""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections import defaultdict, deque
from typing import TYPE_CHECKING, TextIO

from shared.security.escape import escaped

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.output.results import Record
    from shared.tasks.base import Answer

_WINDOW = 200
_WINDOW_S = 5.0
_LIVE_PERIOD_S = 0.2
_LOG_PERIOD_S = 5.0
_CHANGE_PERIOD_S = 1.0
_MAX_HEADLINE, _MAX_FOUND = 160, 400
"""Characters: a detector may see a hundred classes at once."""


def human_bytes(count: float) -> str:
    """`812 B`, `79.5 kB`, `1.61 MB`."""
    for unit, size in (("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} B"


def print_frame(record: Record, out: TextIO | None = None, *, several: bool = False) -> None:
    """One line for one frame, on `out` or on standard output. Of `several` cameras, it begins with the camera's name."""
    print(
        f"{_camera(record, several=several)}frame {record.frame:6d}  {record.split_point} {record.codec} {human_bytes(record.payload_bytes)}  "
        f"{record.latency_ms:.0f} ms  {record.answered_by}  {_told(record.answer) or 'no answer'}",
        file=out or sys.stdout,
        flush=True,
    )


def _camera(record: Record, *, several: bool) -> str:
    return f"{record.camera}: " if several else ""


def _told(answer: Answer) -> str:
    """Everything that was found, if the headline only names it; else the headline, which says more: `2 bottle`."""
    findings, headline = answer.findings(), answer.headline()
    if findings and f", {findings[0][0]}, " in f", {headline}, ":
        found = ", ".join(f"{name} {100 * probability:.1f} %" for name, probability in findings)
        return _cut(found, _MAX_FOUND)
    return _headline(answer)


def _headline(answer: Answer) -> str:
    """The headline with the probability of what is most probable: `2 bottle (63.0 %)`."""
    findings = answer.findings()
    return _cut(answer.headline()) + (f" ({100 * findings[0][1]:.1f} %)" if findings else "")


def _cut(text: str, most: int = _MAX_HEADLINE) -> str:
    text = escaped(text)  # a task of another package may say what it likes
    return text if len(text) <= most else text[: most - 1] + "…"


class _Change:
    """What one camera shows, and what was printed of it."""

    def __init__(self) -> None:
        self.headline = self.printed = ""
        self.since: Record | None = None
        """The frame with which the present headline came."""
        self.count = 0
        """Changes since the last one that was printed."""
        self.printed_at = -math.inf


class ProgressPrinter:
    """A progress line, rewritten on a terminal and repeated in a log, and a line whenever the headline changes.

    At most one change of a camera is printed in each `_CHANGE_PERIOD_S`: a box whose score is near the threshold comes and goes
    with every frame. A change that comes sooner waits, and then the latest is printed, if it is not what was printed last. The line
    says how many were passed over; the records hold every frame's answer.
    """

    def __init__(
        self,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        several: bool = False,
    ) -> None:
        """With `several` cameras, lines about one begin with its name, and the progress is that of all together."""
        self._out = out or sys.stdout
        self._live = self._out.isatty()
        self._period_s = _LIVE_PERIOD_S if self._live else _LOG_PERIOD_S
        self._clock = clock
        self._several = several
        self._count = 0
        self._recent: deque[tuple[float, Record]] = deque(maxlen=_WINDOW)
        self._changes: defaultdict[str, _Change] = defaultdict(_Change)
        self._printed_at = clock()

    def __call__(self, record: Record) -> None:
        now = self._clock()
        self._count += 1
        self._recent.append((now, record))
        while now - self._recent[0][0] > _WINDOW_S:  # older frames do not belong to the present rate
            self._recent.popleft()
        change = self._changes[record.camera]
        headline = record.answer.headline()
        if headline and headline != change.headline:
            change.headline, change.since = headline, record
            change.count += 1
        if now - change.printed_at >= _CHANGE_PERIOD_S:
            self._print_change(change, now)
        if now - self._printed_at >= self._period_s:
            self._printed_at = now
            line = self._progress(record)
            if self._live:
                line = line[: shutil.get_terminal_size().columns - 1]  # a wrapped line could not be rewritten
                print(f"\r\x1b[K{line}", end="", file=self._out, flush=True)
            else:
                self._print(line)

    def close(self) -> None:
        """Print the changes that still wait, and leave the progress line behind."""
        for change in self._changes.values():
            self._print_change(change, self._clock())
        if self._live:
            print(file=self._out)

    def _print_change(self, change: _Change, now: float) -> None:
        record = change.since
        if record is None or change.headline == change.printed:
            return
        passed = change.count - 1
        more = f", after {passed} other change{'s' if passed > 1 else ''}" if passed else ""
        self._print(
            f"{_camera(record, several=self._several)}frame {record.frame}: {_headline(record.answer)}, "
            f"answered by {record.answered_by}{more}"
        )
        change.printed, change.count, change.printed_at = change.headline, 0, now

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
        frames = self._count if self._several else record.frame + 1
        shown = f"{_camera(record, several=self._several)}{_cut(self._changes[record.camera].headline)}"
        return (
            f"{frames} frames  {rate:.1f} frames/s  {human_bytes(sent)}/frame  {latency:.0f} ms  "
            f"{record.split_point} {record.codec}  by edge {100 * by_edge // count} %{still}  {shown}"
        )
