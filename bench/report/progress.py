"""How far a report is and how long it will take, on stderr: a bar on a terminal, a line per step elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
_BAR = 24


@dataclass(frozen=True, slots=True)
class Outline:
    """What a section is going to do, as far as is known beforehand."""

    name: str
    steps: int
    seconds: float
    """A guess; the remaining time is corrected by how wrong the guesses have been so far."""


class Progress:
    """Gets every step as it starts."""

    def __init__(
        self,
        outlines: Sequence[Outline],
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._out = out or sys.stderr
        self._clock = clock
        self._left = list(outlines)
        self._total_s = sum(outline.seconds for outline in outlines) or 1.0
        self._done_s = 0.0
        self._current: Outline | None = None
        self._step = 0
        self._start = clock()
        self._drawn = False

    def section(self) -> None:
        self._finish_section()
        self._current = self._left.pop(0)
        self._step = 0

    def step(self, text: str) -> None:
        assert self._current is not None, "section() comes first"
        self._step += 1
        self._show(f"{self._current.name}: {text}")

    def rounds(self, count: int, cases: Sequence[T], name: str) -> Iterator[T]:
        """All cases, `count` times over, each as a step. `name` is formatted with the case, or with its items."""
        for number in range(1, count + 1):
            for case in cases:
                text = name.format(*case if isinstance(case, tuple) else (case,))
                self.step(f"{text}, round {number} of {count}")
                yield case

    def close(self) -> None:
        """All is done, or has failed."""
        self._finish_section()
        self.clear()

    def clear(self) -> None:
        """Take the bar off the terminal, for something else to be printed."""
        if self._drawn:
            self._out.write("\r\x1b[K")
            self._out.flush()
            self._drawn = False

    def share(self) -> float:
        """The share of the whole work that is done: 0 to 1."""
        done = self._done_s
        if current := self._current:
            done += current.seconds * max(0, self._step - 1) / max(current.steps, self._step)
        return min(1.0, done / self._total_s)

    def remaining_s(self) -> float:
        """At the rate so far; as guessed until there is one."""
        share = self.share()
        if share < 0.02:
            return self._total_s * (1 - share)
        return (self._clock() - self._start) * (1 - share) / share

    def _finish_section(self) -> None:
        if self._current:
            self._done_s += self._current.seconds
            self._current = None

    def _show(self, text: str) -> None:
        share, left = self.share(), self.remaining_s()
        minutes, seconds = divmod(round(left), 60)
        if not self._out.isatty():
            print(f"[{share:4.0%}, {minutes}:{seconds:02d} left] {text}", file=self._out, flush=True)
            return
        full = round(share * _BAR)
        line = f"{'█' * full}{'░' * (_BAR - full)} {share:4.0%}  {minutes}:{seconds:02d} left  {text}"
        self._out.write(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}")
        self._out.flush()
        self._drawn = True
