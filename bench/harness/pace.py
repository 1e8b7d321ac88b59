"""How long a simple client sends: frames are few where JSON takes seconds for one, and many where it takes none."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_WARM_S = 0.5


class Pace:
    """First one frame and half a second that do not count, then at least so many seconds and so many frames."""

    def __init__(self, seconds: float, frames: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self._seconds = seconds
        self._least = frames
        self._clock = clock
        self._begun = clock()
        self._start: float | None = None
        self._frames = self._bytes = 0

    def goes_on(self) -> bool:
        """Whether another frame is to be sent."""
        if self._start is None:
            return True
        return self._frames < self._least or self._clock() - self._start < self._seconds

    def answered(self, sent_bytes: int) -> None:
        """A frame of so many bytes is done."""
        now = self._clock()
        if self._start is not None:
            self._frames += 1
            self._bytes += sent_bytes
            self._elapsed = now - self._start
        elif now - self._begun >= _WARM_S:
            self._start = now

    def result(self) -> dict[str, float]:
        return {
            "frames": self._frames,
            "frames_per_s": self._frames / self._elapsed,
            "bytes_per_frame": self._bytes / self._frames,
        }
