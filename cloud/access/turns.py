"""Turns at a few threads, fair between clients: whoever has had them for the least time is next. On the event loop only.

Start-time fair queueing by what each turn took, as before the tails (cloud/batching/fair_queue.py), but known only afterwards.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from cloud.access.company import Company
from shared.errors import DeadlineError
from shared.limits import MAX_CLIENTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Hashable


class FairTurns:
    """So many turns at once; while there are several clients, none of them has all turns."""

    def __init__(
        self, slots: int, clock: Callable[[], float] = time.monotonic, *, most: int = MAX_CLIENTS
    ) -> None:
        """`most`: clients whose use is remembered while somebody waits."""
        self._free = self._slots = slots
        self._most_known = most
        self._clock = clock
        self._company = Company()
        self._held: Counter[Hashable] = Counter()
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}
        self._used_s: dict[Hashable, float] = {}
        self._now_s = 0.0  # what the client had used whose turn came last

    def waiting(self) -> int:
        """Callers that have no turn yet."""
        return sum(map(len, self._waiting.values()))

    def stop(self) -> None:
        """Cancel the callers that wait."""
        for turn in [turn for turns in self._waiting.values() for turn in turns]:
            turn.cancel()

    @asynccontextmanager
    async def one(self, client: Hashable, timeout_s: float | None = None) -> AsyncIterator[None]:
        """Hold one turn during the block. A caller that is cancelled while it waits leaves nothing behind.

        Raises DeadlineError if its turn does not come within `timeout_s`.
        """
        self._company.note(client, self._clock())
        if self._free and self._held[client] < self._most():
            self._grant(client)
        else:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._wait(client)
            except TimeoutError:
                raise DeadlineError("the deadline passed before its turn at a thread came") from None
        start_s = self._clock()
        try:
            yield
        finally:
            self._used_s[client] = max(self._used_s.get(client, 0.0), self._now_s) + self._clock() - start_s
            self._give_back(client)
            self._forget_absent_clients()

    async def _wait(self, client: Hashable) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it came at the same moment
                self._give_back(client)
            else:
                self._leave(client, turn)
            raise

    def _grant(self, client: Hashable) -> None:
        self._free -= 1
        self._held[client] += 1
        self._now_s = max(self._now_s, self._used_s.get(client, 0.0))

    def _give_back(self, client: Hashable) -> None:
        self._free += 1
        self._held[client] -= 1
        if not self._held[client]:
            del self._held[client]
        self._go_on()

    def _go_on(self) -> None:
        while self._free:
            most = self._most()
            ready = [client for client in self._waiting if self._held[client] < most]
            if not ready:
                break
            client = min(ready, key=lambda each: self._used_s.get(each, 0.0))
            turn = self._waiting[client][0]
            self._leave(client, turn)
            if not turn.done():
                self._grant(client)
                turn.set_result(None)
        if not self._waiting:  # no client is owed anything
            self._used_s = {client: self._used_s[client] for client in self._held if client in self._used_s}

    def _forget_absent_clients(self) -> None:
        """Beyond `most` clients, forget those that are not here; each gains one turn at most."""
        if len(self._used_s) > self._most_known:
            here = self._held.keys() | self._waiting.keys()
            self._used_s = {client: used_s for client, used_s in self._used_s.items() if client in here}

    def _most(self) -> int:
        """Turns that one client may have at once."""
        return max(1, self._slots - self._company.is_shared(self._clock()))

    def _leave(self, client: Hashable, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(client)
        if turns and turn in turns:
            turns.remove(turn)
            if not turns:
                del self._waiting[client]
