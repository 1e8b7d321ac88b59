"""How often something may happen, or how long it may take: so much at once, then so much a second."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Rate:
    """A bucket of `burst` tokens, full at first, that gains `per_s` of them a second. A token is once, or a second of something."""

    def __init__(self, burst: float, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._per_s = burst, per_s
        self._clock = clock
        self._spent, self._at = 0.0, clock()  # tokens that are missing, and when

    def take(self) -> bool:
        """Whether it may happen now; if so it counts."""
        if self.left() < 1:
            return False
        self._spend(1.0)
        return True

    def queue(self, tokens: float = 1.0) -> float:
        """Seconds after which so much may happen; it counts in any case, so that the next one waits longer."""
        self._spend(tokens)
        return max(0.0, -self.left() / self._per_s)

    def left(self) -> float:
        """How much may happen now; below 0 for what counted before it might."""
        return self._burst - self._missing(self._clock())

    def wait_s(self) -> float:
        """Seconds until it may happen once."""
        return max(0.0, (1 - self.left()) / self._per_s)

    def _spend(self, tokens: float) -> None:
        now = self._clock()
        self._spent, self._at = self._missing(now) + tokens, now

    def _missing(self, now: float) -> float:
        return max(0.0, self._spent - self._per_s * (now - self._at))
