"""Memory that a long-running process has freed goes back to the system, whatever left it."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from shared.process.memory import trim

if TYPE_CHECKING:
    from collections.abc import Callable

_STATM = Path("/proc/self/statm")
_LOOK_S = 1.0
_GROWTH = 1.15
_SHARE = 0.05
"""How much of the time is spent on it at most: it takes milliseconds, in which threads that allocate may wait."""


def resident_bytes() -> int:
    """What this process has in memory; 0 where that cannot be seen."""
    try:
        return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


class Trimming:
    """Returns free pages once the process has grown by a seventh since the last time.

    glibc keeps them otherwise, in holes between what stays: uploads of small profiles that replaced each other left a cloud with twice
    the memory that it used.
    """

    def __init__(
        self,
        resident: Callable[[], int] = resident_bytes,
        give_back: Callable[[], object] = trim,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resident = resident
        self._give_back = give_back
        self._clock = clock
        self._floor = resident()
        self._not_before = clock()

    def due(self) -> bool:
        """Whether there may be something to return."""
        return self._clock() >= self._not_before and self._resident() > _GROWTH * self._floor

    def run(self) -> None:
        """Return what is free. On any thread."""
        start = self._clock()
        self._give_back()
        now = self._clock()
        self._not_before = now + (now - start) / _SHARE
        self._floor = self._resident()

    async def watch(self) -> None:
        """Look every second, for ever."""
        while True:
            await asyncio.sleep(_LOOK_S)
            if self.due():
                await asyncio.to_thread(self.run)
