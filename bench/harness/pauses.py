"""When this process itself stood still: starved by others, or stopped. What it measured then is not its peer's doing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

_PERIOD_S = 0.02
LONG_S = 0.1
"""Shorter ones are the event loop's usual turns, and those of a machine with as much to do as it can."""


@dataclass
class Pauses:
    """Seconds of the event loop's clock, from and to, one after another."""

    found: list[tuple[float, float]] = field(default_factory=list)

    async def watch(self) -> None:
        """Note them until it is cancelled."""
        clock = asyncio.get_running_loop().time
        last = clock()
        while True:
            await asyncio.sleep(_PERIOD_S)
            self.ticked(last, last := clock())

    def ticked(self, before: float, now: float) -> None:
        """What was due a period after `before` came now."""
        if now - before > LONG_S:
            self.found.append((before, now))

    def within(self, start: float, end: float) -> float:
        """How many seconds between these two it stood still."""
        return sum(max(0.0, min(end, to) - max(start, since)) for since, to in self.found)
