"""What the cloud did in the last minutes, second by second, so that whoever opens its page sees more than the moment.

It is kept whether anybody looks or not, and so costs next to nothing: a few sums for each request, one look at the queue a second.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cloud.http.page.visitors import Visitors

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 300
"""How far back it goes."""
_KEPT = SECONDS + 8
"""With the second that is not over, and those that are read again."""
_STEPS = 8
"""Latencies are told apart by this share of a doubling: to 9 %."""
_LEAST_MS = 0.01

Row = list[Any]
"""A second as JSON, in the order of `Second`'s fields."""


@dataclass(slots=True)
class Second:
    """What ended, and was refused, within one second of the monotonic clock."""

    second: int = -1
    frames: int = 0
    """Answered."""
    received: int = 0
    """Bytes of request bodies."""
    refused: int = 0
    """Requests."""
    queue: int = 0
    """Frames that waited, when it was looked at."""
    cores: float = 0.0
    """Processor time of this process, in seconds a second."""
    latencies: dict[int, int] = field(default_factory=dict)
    """Requests for tails that were answered, by the step that their time is in."""

    def row(self) -> Row:
        """It as JSON, whose keys are strings."""
        latencies = {str(step): count for step, count in self.latencies.items()}
        return [
            self.second, self.frames, self.received, self.refused, self.queue, round(self.cores, 3), latencies,
        ]  # fmt: skip


class Recent:
    """Counts. On the event loop only."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.process_time,
    ) -> None:
        """The clocks return seconds; workers of one machine must share the first."""
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._looked = clock(), cpu_clock()
        self._ring = [Second() for _ in range(_KEPT)]
        self.since_s = clock()
        """When it began."""
        self.visitors = Visitors()

    def second(self) -> int:
        """The second that is not over yet."""
        return int(self._clock())

    def uptime_s(self) -> float:
        """Seconds since it began."""
        return self._clock() - self.since_s

    def ended(self, client: str, frames: int, received: int, seconds: float) -> None:
        """A client's request is over, which brought so many frames that were answered, and bytes. One without both is of no interest."""
        if frames or received:
            now = self._now()
            now.frames += frames
            now.received += received
            if frames:
                step = step_of(1e3 * seconds)
                now.latencies[step] = now.latencies.get(step, 0) + 1
            self.visitors.of(client).ended(now.second, frames, received)

    def refused(self, client: str, reason: str) -> None:
        """A client's request was refused."""
        now = self._now()
        now.refused += 1
        self.visitors.of(client).refused(now.second, reason)

    def look(self, queue: int) -> None:
        """Note how many frames wait, and how busy the process was. To be called every second."""
        now = self._now()
        now.queue = queue
        (then_s, then_cpu_s), at = self._looked, (self._clock(), self._cpu_clock())
        if at[0] > then_s:
            now.cores = (at[1] - then_cpu_s) / (at[0] - then_s)
            self._looked = at

    def clients(self) -> dict[str, Any]:
        """The clients as JSON."""
        return self.visitors.said(self.second())

    def rows(self, since: int = 0) -> list[Row]:
        """The seconds of which something is known, from `since` on, in order."""
        first = max(0, since, self.second() - _KEPT + 1)
        known = [each for each in self._ring if each.second >= first]
        return [each.row() for each in sorted(known, key=lambda each: each.second)]

    def _now(self) -> Second:
        second = self.second()
        found = self._ring[second % _KEPT]
        if found.second != second:
            found = self._ring[second % _KEPT] = Second(second)
        return found


def step_of(ms: float) -> int:
    """The step that a latency is in."""
    return math.floor(_STEPS * math.log2(max(_LEAST_MS, ms)))


def middle_of(step: int) -> float:
    """The milliseconds in the middle of a step."""
    return float(2 ** ((step + 0.5) / _STEPS))
