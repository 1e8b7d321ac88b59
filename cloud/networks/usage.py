"""When a network was last used, at which split points, and how much it answers."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


_RUNS = 20


class Runs:
    """The frames that were answered at one split point."""

    def __init__(self) -> None:
        self.frames = 0
        self.latest_s: deque[float] = deque(maxlen=_RUNS)
        """How long the latest runs of the tail took."""


class Usage:
    """Notes the uses of one network. For any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds."""
        self.numbers = 0
        """How many its outputs hold for one frame, as far as it is known."""
        self.runs: dict[str, Runs] = {}
        """By split point. Written on the event loop only."""
        self._clock = clock
        self._last = clock()
        self._by_point: dict[str, float] = {}

    def note(self, split_point: str | None = None) -> None:
        """Note a use now. `split_point` must be one of the network's, so that there is a bound on how many are kept."""
        self._last = self._clock()
        if split_point is not None:
            self._by_point[split_point] = self._last

    def ran(self, split_point: str, frames: int, seconds: float) -> None:
        """Note a run of the tail at a split point of this network, which answered so many frames of one caller."""
        runs = self.runs.get(split_point) or self.runs.setdefault(split_point, Runs())
        runs.frames += frames
        runs.latest_s.append(seconds)

    def idle_s(self) -> float:
        """Seconds since the last use, or since it was loaded."""
        return self._clock() - self._last

    def lately(self, seconds: float) -> list[str]:
        """The split points used within so many seconds, the latest first."""
        since = self._clock() - seconds
        # A copy, because frames are noted meanwhile.
        found = sorted(self._by_point.copy().items(), key=lambda each: each[1], reverse=True)
        return [name for name, at in found if at >= since]
