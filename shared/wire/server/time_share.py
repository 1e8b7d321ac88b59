"""Keeps what something takes of a thread's time to a share of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class TimeShare:
    """A leaky bucket of seconds: so much may be spent at once, and the share of each second in the long run."""

    def __init__(
        self, share: float, at_once_s: float, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """`share`: 0 to 1."""
        self._share = share
        self._at_once_s = at_once_s
        self._clock = clock
        self._debt_s = 0.0
        self._at = clock()

    def spend(self, seconds: float) -> float:
        """Note that so long was spent until now; returns the seconds until more may be, 0 if at once."""
        now = self._clock()
        self._debt_s = max(0.0, self._debt_s - self._share * (now - self._at)) + seconds
        self._at = now
        return max(0.0, self._debt_s - self._at_once_s) / self._share
