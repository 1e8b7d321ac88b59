"""The data budget: how many bytes of an hour may travel between this edge and its clouds, and what is left of them."""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import TYPE_CHECKING

from edge.planning.budget.hour import Hour

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

_AROUND_BYTES = 1100
"""What travels around a frame at most as a rule, its answer included. What really did counts as soon as it is known."""
_FREE_SHARE = 1 / 60
"""A budget that was spent is used again once so much of it is free, a minute's worth: not for one frame now and then."""
_TELL_S = 600.0
"""Between two lines that say the same."""


class Budget:
    """Counts whatever travels, both ways, of all cameras and clouds. May be used from any thread.

    A frame claims its bytes before it is sent, so that those that are under way together spend no more than there is.
    """

    def __init__(self, most_bytes: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        """`most_bytes` within any hour of this process; 0: as many as there are."""
        self._hour = Hour(most_bytes)
        self._clock = clock
        self._lock = threading.Lock()
        self._claimed = 0.0
        self._wanted = 0.0
        """What has to be free before frames are sent again; 0: they are."""
        self._told_at = -math.inf
        self._is_told = False

    @property
    def most_bytes(self) -> float:
        """What may travel in an hour; infinite without a budget."""
        return self._hour.most or math.inf

    @property
    def left_bytes(self) -> float:
        """What may still travel now, frames under way taken off; infinite without a budget."""
        with self._lock:
            return self._left()

    @property
    def bytes_per_s(self) -> float:
        """At which the rest lasts until what was spent is an hour old; infinite without a budget."""
        if not self._hour.most:
            return math.inf
        with self._lock:
            return self._hour.pace(self._clock(), self._claimed)

    @property
    def is_spent(self) -> bool:
        """Whether nothing is to be sent now."""
        if not self._hour.most:
            return False
        with self._lock:
            if self._wanted and self._left() >= self._wanted:
                self._wanted = 0.0
                if self._is_told:
                    self._is_told = False
                    _log.info("the data budget has bytes again; frames are sent")
            return self._wanted > 0

    def spend(self, size: float) -> None:
        """So many bytes have travelled, in whichever direction."""
        if self._hour.most:
            with self._lock:
                self._hour.add(self._clock(), size)

    def claim(self, size: int) -> bool:
        """Whether a frame of so many bytes may be sent. If so, it is to be settled."""
        if not self._hour.most:
            return True
        with self._lock:
            if size + _AROUND_BYTES <= self._left():
                self._claimed += size + _AROUND_BYTES
                return True
            most = self._hour.most
            self._wanted = min(most / 2, max(_FREE_SHARE * most, size + _AROUND_BYTES))
            self._tell()
            return False

    def settle(self, size: int) -> None:
        """A frame that has claimed so much is done: what it took has been spent."""
        if self._hour.most:
            with self._lock:
                self._claimed = max(0.0, self._claimed - size - _AROUND_BYTES)

    def _left(self) -> float:
        if not self._hour.most:
            return math.inf
        self._hour.look(self._clock())
        return max(0.0, self._hour.most - self._hour.spent - self._claimed)

    def _tell(self) -> None:
        now_s = self._clock()
        if now_s < self._told_at + _TELL_S:
            return
        self._told_at, self._is_told = now_s, True
        wait_s = self._hour.free_at(now_s, self._wanted)
        _log.warning(
            "the data budget of %.3g MB an hour (--max-bytes-per-hour) is spent; the edge answers by itself, for about %.0f s",
            self._hour.most / 1e6,
            wait_s,
        )
