"""Watches the memory and the open files of a process, from when it is warm until it ends."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from bench.harness.process import memory, open_files

GROWTH, GROWTH_BYTES = 0.10, 20e6
"""What a process may grow by: a share of its size when it was warm, and so many bytes more."""
GROWTH_FILES = 8
_WINDOW = 5
"""Medians are over so many samples: one may meet a moment between a frame's arrival and its end."""


@dataclass
class Watch:
    """The samples of one process, one a second."""

    name: str
    pid: int
    warm_at: float
    """In monotonic seconds; earlier samples do not count."""
    connections: int = 0
    """How many others may keep open to it: files that it has good reason for."""
    resident: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    _over: bool = False

    def sample(self, now: float) -> None:
        """Take one sample if it is warm and has not ended."""
        if self._over or now < self.warm_at:
            return
        try:
            resident = memory(self.pid).resident
            files = open_files(self.pid)
        except OSError:
            resident = files = 0
        # 0: it has ended, even if nothing has waited for it yet. Its id may soon be another's.
        self._over = not resident
        if resident:
            self.resident.append(resident)
            self.files.append(files)

    @property
    def judged(self) -> bool:
        """Whether it lived long enough for a beginning and an end."""
        return len(self.resident) >= 2 * _WINDOW

    def ends(self, samples: list[int]) -> tuple[float, float]:
        """The medians of the first samples and of the last ones."""
        return statistics.median(samples[:_WINDOW]), statistics.median(samples[-_WINDOW:])

    def faults(self) -> list[str]:
        """How it grew too much, for people."""
        if not self.judged:
            return []
        (before, after), (opened, open_now) = self.ends(self.resident), self.ends(self.files)
        found = []
        if after - before > GROWTH * before + GROWTH_BYTES:
            found.append(f"{self.name} grew from {before / 1e6:.0f} to {after / 1e6:.0f} MB")
        if open_now - opened > GROWTH_FILES + self.connections:
            found.append(f"{self.name} had {opened:.0f} files open, and {open_now:.0f} at the end")
        return found

    def row(self) -> str:
        """One line of the table; only for one that is judged."""
        (before, after), (opened, open_now) = self.ends(self.resident), self.ends(self.files)
        return f"{self.name:<10}{before / 1e6:>8.0f} -> {after / 1e6:>4.0f} MB{opened:>10.0f} -> {open_now:>3.0f} files"
