"""How long to wait before the next attempt: longer each time, and never the same for two edges."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_S, LONGEST_S = 0.5, 60.0


class Backoff:
    """Used by one task."""

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        """`jitter` gives numbers in [0, 1)."""
        self._jitter = jitter
        self._wait_s = FIRST_S

    def next_s(self) -> float:
        """Seconds to wait now."""
        wait_s = self._wait_s * (0.5 + self._jitter() / 2)
        self._wait_s = min(2 * self._wait_s, LONGEST_S)
        return wait_s

    def reset(self) -> None:
        """Something was delivered: the next wait is the first again."""
        self._wait_s = FIRST_S
