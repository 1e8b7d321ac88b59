"""Whether other processes kept this one from computing while something was measured."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_STAT = Path("/proc/stat")
_THRESHOLD = 0.1
"""Share of the processor time that our threads could have had."""
_WORKING = (0, 1, 2, 5, 6, 7)
"""Fields of a line of /proc/stat: user, nice, system, irq, softirq, and steal, which another virtual machine had."""


class BusyMeter:
    """Compares the processor time of others with what they leave to our threads, from now on to `busy()`.

    On 64 cores others may compute on 30 without taking anything from four threads here. Where there is no /proc/stat nothing
    is known of others, and the machine counts as idle.
    """

    def __init__(
        self,
        threads: int,
        *,
        stat: Path = _STAT,
        cores: set[int] | None = None,
        clock: Callable[[], float] = time.perf_counter,
        own_cpu: Callable[[], float] = time.process_time,
    ) -> None:
        """`threads`: those that compute. `cores`: the numbers of those we may use; the default asks the system."""
        self._threads = threads
        self._stat = stat
        self._cores = os.sched_getaffinity(0) if cores is None else cores
        self._clock = clock
        self._own_cpu = own_cpu
        self._start = self._now()

    def busy(self) -> bool:
        """Whether others took more than a tenth of the time that our threads could have had."""
        wall, all_s, own_s = (end - start for end, start in zip(self._now(), self._start, strict=True))
        wanted = min(self._threads, len(self._cores)) * wall
        taken = (all_s - own_s) + wanted - len(self._cores) * wall
        return taken > _THRESHOLD * wanted

    def _now(self) -> tuple[float, float, float]:
        """Wall time, processor time of everybody on our cores, and our own, in seconds."""
        own = self._own_cpu()
        everybody = self._everybody()
        return self._clock(), own if everybody is None else everybody, own

    def _everybody(self) -> float | None:
        names = {f"cpu{number}" for number in self._cores}
        try:
            lines = [line.split() for line in self._stat.read_text().splitlines()]
            ticks = sum(int(line[1 + field]) for line in lines if line[0] in names for field in _WORKING)
        except (OSError, ValueError, IndexError):
            return None
        return ticks / os.sysconf("SC_CLK_TCK")
