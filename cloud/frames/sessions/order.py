"""The order in which a stream's frames are decoded: that of their arrival."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol


class Holder(Protocol):
    """A frame that has its turn."""

    decoded: bool
    """Whether it is decoded, so that the next may be; set on a thread."""


class Order:
    """One turn at a time. On the event loop only, but for what a method says."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._holder: Holder | None = None
        self._waiting: deque[tuple[Holder, asyncio.Future[None]]] = deque()

    async def enter(self, holder: Holder) -> None:
        """Wait for the turn, which whoever has it gives back by `leave`, or has no more when it is decoded."""
        turn: asyncio.Future[None] = self._loop.create_future()
        place = holder, turn
        self._waiting.append(place)
        self._go_on()
        try:
            await turn
        except asyncio.CancelledError:
            if place in self._waiting:
                self._waiting.remove(place)
            self.leave(holder)
            raise

    def leave(self, holder: Holder) -> None:
        """Give the turn back; may be called twice."""
        if self._holder is holder:
            self._holder = None
            self._go_on()

    def decoded(self) -> None:
        """On a thread: the frame whose turn it is is decoded, and goes on by itself."""
        if self._waiting:
            self._loop.call_soon_threadsafe(self._go_on)

    def _go_on(self) -> None:
        while self._waiting and (self._holder is None or self._holder.decoded):
            self._holder, turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
