"""Tails that are compiled while frames wait: one at a time, in turns between clients, a few a minute for each.

A frame names its split point, and so chooses what is compiled. So a client that names many waits for them by itself: its compilations
are counted and charged to it, and what it has waiting is bounded, since a frame that waits here is decoded already.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING

from cloud.access.places import Places
from cloud.access.refusals import BusyError, OverQuotaError
from cloud.access.turns import FairTurns
from shared.errors import DeadlineError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from cloud.access.clients import Account
    from cloud.frames.threads import Pool
    from cloud.networks.legs import Legs
    from cloud.networks.network import Tail

_LOOK_S = 5.0
"""Between two looks at where frames come."""


class Compiling:
    """Makes tails ready. On the event loop only."""

    def __init__(self, pool: Pool, capacity: int) -> None:
        """`pool` has one thread; at most `capacity` frames of one client wait, and twice as many in all."""
        self._pool = pool
        self._capacity = capacity
        self._turns = FairTurns(1)
        self._waiting = Places()
        self._running: set[asyncio.Task[None]] = set()

    async def tend(
        self, legs: Callable[[], Legs | None], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """From time to time, compile legs from where most frames came, until cancelled. `legs` are the current network's."""
        while True:
            await sleep(_LOOK_S)
            if found := legs():
                for name in found.hot():
                    await self._pool.run(found.make, name)

    def waiting(self) -> int:
        """Frames whose tail is not ready yet."""
        return self._waiting.total()

    def stop(self) -> None:
        """Cancel what waits for its turn."""
        self._turns.stop()

    async def ready(self, tail: Tail, frames: int, account: Account, timeout_s: float) -> None:
        """Return once the tail can run, for a request of so many frames; `account` is charged if it is compiled for it.

        Raises DeadlineError after `timeout_s`, OverQuotaError if this client has had too much compiled lately or too many frames wait
        for it, BusyError if too many do in all, and what `Tails.prepare` raises. A compilation that has begun is not given up.
        """
        tails = tail.network.tails
        if tails.is_ready(tail.split_point):
            return
        tails.require_allowed(tail.split_point)
        try:
            with self._place(account.name, frames):
                async with asyncio.timeout(timeout_s):
                    await self._in_turn(tail, account)
        except TimeoutError:
            raise DeadlineError(
                f"the tail at {tail.split_point} was not compiled within the {1e3 * timeout_s:.0f} ms that were left"
            ) from None

    async def _in_turn(self, tail: Tail, account: Account) -> None:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._turns.one(account.name))
            if tail.network.tails.is_ready(tail.split_point):  # what another compiled holds this one too
                return
            account.begin_compilation()
            # It holds its turn to its end, also if nobody waits for it any more.
            running = asyncio.create_task(self._compile(stack.pop_all(), tail, account))
        self._running.add(running)
        running.add_done_callback(self._finished)
        await asyncio.shield(running)

    async def _compile(self, turn: AsyncExitStack, tail: Tail, account: Account) -> None:
        async with turn:
            await self._pool.run(_prepare, tail, account)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits has it; if nobody does, it is no news

    @contextmanager
    def _place(self, client: str, frames: int) -> Iterator[None]:
        own = self._waiting.of(client)
        if own and own + frames > self._capacity:
            raise OverQuotaError(
                f"{own} frames of this client wait for a tail to be compiled, which is its share; try again in a second",
                accepted={"frames_waiting": self._capacity},
            )
        if self.waiting() + frames > 2 * self._capacity:
            raise BusyError(f"{self.waiting()} frames wait for tails to be compiled; try again in a second")
        with self._waiting.hold(client, frames):
            yield


def _prepare(tail: Tail, account: Account) -> None:
    with account.computing():
        tail.network.tails.prepare(tail.split_point)
