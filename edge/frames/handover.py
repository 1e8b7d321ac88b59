"""A bounded queue from a thread to tasks of the event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Item = TypeVar("_Item")

_PATIENCE_S = 0.1


class Handover(Generic[_Item]):
    """First in, first out. The thread waits for a place; the event loop never waits for the thread."""

    def __init__(self, capacity: int, loop: asyncio.AbstractEventLoop, given_up: Callable[[], bool]) -> None:
        """`given_up` says whether nobody takes anything any more."""
        self._loop = loop
        self._given_up = given_up
        self._places = threading.Semaphore(capacity)
        self._items: asyncio.Queue[_Item | None] = asyncio.Queue()
        self._closed = False

    def put(self, item: _Item) -> None:
        """From the thread: wait for a place, not for ever if nothing is taken any more."""
        while not self._places.acquire(timeout=_PATIENCE_S):
            if self._given_up():
                return
        self._loop.call_soon_threadsafe(self._items.put_nowait, item)

    def close(self) -> None:
        """From the thread: no more items come; what waits can still be taken."""
        self._loop.call_soon_threadsafe(self._items.put_nowait, None)

    def depth(self) -> int:
        """Items waiting."""
        return max(0, self._items.qsize() - self._closed)

    async def get(self) -> _Item | None:
        """From the event loop: the oldest item, or None when the queue is closed and empty."""
        item = await self._items.get()
        if item is None:
            self._closed = True
            self._items.put_nowait(None)  # for the next one who asks
        else:
            self._places.release()
        return item
