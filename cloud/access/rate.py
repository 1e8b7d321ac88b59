"""How often something may happen: so many times at once, then so many a second."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Rate:
    """A bucket of `burst` tokens, full at first, that gains `per_s` of them a second."""

    def __init__(self, burst: float, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._per_s = burst, per_s
        self._clock = clock
        self._left, self._at = burst, clock()

    def take(self) -> bool:
        """Whether it may happen now; if so it counts."""
        if self.left() < 1:
            return False
        self._left -= 1
        return True

    def queue(self) -> float:
        """Seconds after which it may happen; it counts in any case, so that the next one waits longer."""
        self._left = self.left() - 1
        return max(0.0, -self._left / self._per_s)

    def left(self) -> float:
        """How often it may happen now."""
        now = self._clock()
        self._left = min(self._burst, self._left + self._per_s * (now - self._at))
        self._at = now
        return self._left

    def wait_s(self) -> float:
        """Seconds until it may happen once."""
        return max(0.0, (1 - self.left()) / self._per_s)
