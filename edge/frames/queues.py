"""Bounded queues between the steps of a frame's way, and the thread that moves items from one to the next."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import Gauge

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_Item_contra = TypeVar("_Item_contra", contravariant=True)


class BoundedQueue(Generic[_Item]):
    """Between threads, first in, first out. When full, a lossless producer waits and a live one drops the oldest item."""

    def __init__(self, capacity: int, depth: Gauge, *, drop_oldest: bool = False) -> None:
        self._capacity = capacity
        self._depth = depth
        self._drop_oldest = drop_oldest
        self._items: deque[_Item] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: _Item) -> int:
        """Add an item; returns how many were dropped to make room. An item put after `close` is itself dropped."""
        with self._changed:
            if not self._drop_oldest:
                self._changed.wait_for(lambda: len(self._items) < self._capacity or self._closed)
            if self._closed:
                return 1  # items that already wait stay: they can still be taken
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
        """No more items come; those that wait can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _note(self) -> None:
        self._depth.set(len(self._items))
        self._changed.notify_all()


class _Outbound(Protocol[_Item_contra]):
    def put(self, item: _Item_contra, /) -> object: ...
    def close(self) -> None: ...


class Step(Generic[_Item, _Result]):
    """A thread that takes each item, works on it and passes the result on, until there are no more items."""

    def __init__(
        self,
        name: str,
        take: Callable[[], _Item | None],
        work: Callable[[_Item], _Result],
        outbound: _Outbound[_Result],
    ) -> None:
        """`take` waits for the next item and gives None after the last one; `work` does not raise."""
        self._take = take
        self._work = work
        self._outbound = outbound
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def join(self) -> None:
        """Wait until the thread has ended, which it does after the last item."""
        self._thread.join()

    def _run(self) -> None:
        try:
            while (item := self._take()) is not None:
                result = self._work(item)
                del item  # a picture or a tensor: free it before there is another wait
                self._outbound.put(result)
                del result
        finally:
            self._outbound.close()
