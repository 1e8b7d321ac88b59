"""Readings of the metrics: few wait for each client, and one is made at a time, as writing them holds the interpreter up."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from cloud.access.turns import FairTurns
from cloud.access.waiting import Waiting
from shared.limits import MAX_CLIENT_SCRAPES
from shared.observing.telemetry import exposition

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from prometheus_client import CollectorRegistry

    from cloud.workers.sums import Collected

_AWAY = 4
"""While others wait, the interpreter is left to frames for so many times as long as a reading took."""


class Scrapes:
    """Makes the readings. On the event loop only."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        together: Callable[[], Awaitable[Collected]] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """`together` reads the metrics of several workers; `clock` and `sleep` are of seconds."""
        self._registry = registry
        self._together = together
        self._clock = clock
        self._sleep = sleep
        self._places = Waiting(MAX_CLIENT_SCRAPES, "readings of the metrics that wait")
        self._turns = FairTurns(1)

    def stop(self) -> None:
        """Cancel the callers that wait."""
        self._turns.stop()

    async def read(self, client: str, accept: str, timeout_s: float) -> tuple[str, bytes]:
        """Content type and body. Raises OverQuotaError, DeadlineError if its turn does not come within `timeout_s`, and

        UnavailableError as `together` does.
        """
        with self._places.place(client):
            async with self._turns.one(client, timeout_s):
                start_s = self._clock()
                read = await self._together() if self._together else self._registry
                found = await asyncio.to_thread(exposition, read, accept)
                if self._turns.waiting():
                    await self._sleep(_AWAY * (self._clock() - start_s))
                return found
