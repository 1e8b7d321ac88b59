"""Bounded queues between the steps of a frame's way, and the thread that moves items from one to the next."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import Gauge

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_Item_contra = TypeVar("_Item_contra", contravariant=True)


class BoundedQueue(Generic[_Item]):
    """Between threads, first in, first out. When it is full, its producer waits."""

    def __init__(self, capacity: int, depth: Gauge) -> None:
        # Two queues that wait outside the interpreter: a condition costs several times as much.
        self._items: SimpleQueue[_Item | None] = SimpleQueue()  # None, once closed, is the last
        self._room: SimpleQueue[None] = SimpleQueue()  # one entry for each item that may still be put
        for _ in range(capacity):
            self._room.put(None)
        self._closed = False
        self._putting = threading.Lock()
        depth.set_function(self._depth)

    def put(self, item: _Item) -> None:
        """Add an item, once there is room. One that comes after `close` is lost."""
        self._room.get()
        with self._putting:
            if self._closed:
                self._room.put(None)  # for the next producer that waits
            else:
                self._items.put(item)

    def get(self) -> _Item | None:
        """The oldest item; waits for one. None when the queue is closed and empty."""
        item = self._items.get()
        if item is None:
            self._items.put(None)  # for the next consumer that asks
        else:
            self._room.put(None)
        return item

    def close(self) -> None:
        """No more items come; those that wait can still be taken."""
        with self._putting:
            if not self._closed:
                self._closed = True
                self._items.put(None)
                self._room.put(None)

    def _depth(self) -> int:
        return max(0, self._items.qsize() - self._closed)


class _Outbound(Protocol[_Item_contra]):
    def put(self, item: _Item_contra, /) -> object: ...
    def close(self) -> None: ...


class Step(Generic[_Item, _Result]):
    """Threads that take each item, work on it and pass the result on, until there are no more items. Results are in the order of items."""

    def __init__(
        self,
        name: str,
        take: Callable[[], _Item | None],
        work: Callable[[_Item], _Result],
        outbound: _Outbound[_Result],
        *,
        workers: int = 1,
    ) -> None:
        """`take` waits for the next item and gives None after the last one; one of the `workers` calls it at a time. `work` does not raise."""
        self._take = take
        self._work = work
        self._outbound = outbound
        self._taking = threading.Lock()
        self._passed_on = threading.Lock()
        """Free once the result of the item taken last has been passed on."""
        self._working = workers
        self._threads = [threading.Thread(target=self._run, name=name, daemon=True) for _ in range(workers)]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until the threads have ended, which they do after the last item."""
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        try:
            while True:
                with self._taking:
                    item = self._take()
                    if item is None:
                        return
                    before, mine = self._passed_on, threading.Lock()
                    mine.acquire()  # free when this result has been passed on
                    self._passed_on = mine
                try:
                    try:
                        result = self._work(item)
                        del item  # a picture or a tensor: free it before there is another wait
                    finally:  # what breaks down overtakes nothing either
                        before.acquire()
                    self._outbound.put(result)
                    del result
                finally:
                    mine.release()
        finally:
            with self._taking:
                self._working -= 1
                is_last = not self._working
            if is_last:
                self._outbound.close()
