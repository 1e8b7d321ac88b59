"""A bounded queue between threads, with a written policy for when it is full."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from prometheus_client import Gauge

_Item = TypeVar("_Item")


class BoundedQueue(Generic[_Item]):
    """First in, first out. Full: a lossless producer waits; a live one drops the oldest item."""

    def __init__(self, capacity: int, depth: Gauge, *, drop_oldest: bool) -> None:
        self._capacity = capacity
        self._depth = depth
        self._drop_oldest = drop_oldest
        self._items: deque[_Item] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: _Item) -> int:
        """Add an item; returns how many were dropped for it. An item put after `close` is dropped itself."""
        with self._changed:
            if not self._drop_oldest:
                self._changed.wait_for(lambda: len(self._items) < self._capacity or self._closed)
            if self._closed:
                return 1  # and what waits stays: it is still to be taken
            dropped = 0
            while len(self._items) >= self._capacity:
                self._items.popleft()
                dropped += 1
            self._items.append(item)
            self._note()
            return dropped

    def get(self) -> _Item | None:
        """The oldest item; waits for one. None when the queue is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed)
            if not self._items:
                return None
            item = self._items.popleft()
            self._note()
            return item

    def close(self) -> None:
        """No more items come; what waits can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _note(self) -> None:
        self._depth.set(len(self._items))
        self._changed.notify_all()
