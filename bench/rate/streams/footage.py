"""The frames of a clip: those to calibrate with, and after them those of the session, one after another."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.sources.registry import open_source

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bench.rate.streams.noise import Noise

LEAST = 12
"""Frames to calibrate with, and of a session."""
_LEAST_SHARE = 0.4
"""The share of a clip that is left for calibration; one that is too short for both is halved."""


@dataclass(frozen=True)
class Footage:
    """A clip, read anew for each use: its frames are never all in memory."""

    path: Path
    count: int
    """Whole frames in it."""
    rate: float
    """Frames/s by its own clock; 0 if it has none."""
    every: int = 1
    """Which of its frames are used: every one, every second one, …"""

    @classmethod
    def of(cls, path: Path, every: int = 1) -> Footage:
        """Read once, to know how long it is. Raises SourceError."""
        times: list[float | None] = [time_s for _, time_s in _shots(path, every)]
        first, last = (times[0], times[-1]) if times else (None, None)
        known = first is not None and last is not None and last > first
        rate = (len(times) - 1) / (last - first) if known and first is not None and last is not None else 0.0
        return cls(path, len(times), rate, every)

    def split(self, frames: int) -> int:
        """Where a session of at most `frames` frames begins, if what is before it calibrates.

        The session is the clip's end; where less than two fifths of the clip would be left, it is the second half. Raises ValueError for too short a clip.
        """
        self._require(2 * LEAST)
        start = self.count - frames
        return start if start >= _LEAST_SHARE * self.count else self.count // 2

    def tail(self, frames: int) -> int:
        """Where a session of at most `frames` frames begins, if another clip calibrates. Raises ValueError."""
        self._require(LEAST)
        return max(0, self.count - frames)

    def _require(self, least: int) -> None:
        if self.count < least:
            raise ValueError(f"{self.path.name} has {self.count} frames; at least {least} are needed")

    def pictures(
        self, first: int, end: int, noise: Noise
    ) -> Iterator[NDArray[np.uint8]]:  # each (H, W, 3) BGR
        """The frames from `first` to before `end`, with noise. Raises SourceError."""
        with contextlib.closing(_shots(self.path, self.every)) as shots:
            for number, (picture, _) in enumerate(shots):
                if number >= end:
                    return
                if number >= first:
                    yield noise(picture, number)


def _shots(path: Path, every: int) -> Generator[tuple[NDArray[np.uint8], float | None]]:
    """Whole frames and their times."""
    source = open_source(str(path), open_timeout_s=10, read_timeout_s=10)
    source.open()
    try:
        number = 0
        while (shot := source.read()) is not None:
            if shot.damaged:
                continue
            if number % every == 0:
                yield shot.picture, shot.media_time_s
            number += 1
    finally:
        source.close()
