"""What other processes take of this machine meanwhile: with it, a slow fleet is told from a busy machine."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from bench.harness.process import busy_s, family_cpu_s

if TYPE_CHECKING:
    from collections.abc import Callable


class Others:
    """Counts from when it is made."""

    def __init__(
        self,
        busy: Callable[[], float] = busy_s,
        own: Callable[[], float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`busy` and `own`: CPU seconds of the machine, and of this process with all that it has started, alive or not."""
        self._clock, self._busy, self._own = clock, busy, own or _own_s
        self._start, self._before = clock(), self._others_s()

    def cores(self) -> float:
        """How many cores they took, on average."""
        return max(0.0, self._others_s() - self._before) / max(1e-9, self._clock() - self._start)

    def _others_s(self) -> float:
        return self._busy() - self._own()


def _own_s() -> float:
    ended = os.times()
    return family_cpu_s(os.getpid()) + ended.children_user + ended.children_system
