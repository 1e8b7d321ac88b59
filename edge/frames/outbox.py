"""Where encoded frames wait to be answered: from the last thread to the event loop, in turn for each camera."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.frames.allowance import Allowance

_Item = TypeVar("_Item")


class Outbox(Generic[_Item]):
    """Neither side waits for the other: what bounds it is the allowance of frames under way (edge/frames/intake.py).

    A frame is given out once its camera has a slot, in order for each camera and in turn between them.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, slots: Allowance, camera_of: Callable[[_Item], str]
    ) -> None:
        """`slots`: of frames that are being answered."""
        self._loop = loop
        self._slots = slots
        self._camera_of = camera_of
        self._waiting: defaultdict[str, deque[_Item]] = defaultdict(deque)
        self._turns: deque[str] = deque()
        """The camera whose turn is next comes first."""
        self._changed = asyncio.Event()
        self._closed = False

    def put(self, item: _Item) -> None:
        """From the thread."""
        self._loop.call_soon_threadsafe(self._add, item)

    def close(self) -> None:
        """From the thread: no more items will come; those that wait can still be taken."""
        self._loop.call_soon_threadsafe(self._end)

    def depth(self) -> int:
        """Number of items that wait."""
        return sum(map(len, list(self._waiting.values())))

    async def get(self) -> _Item | None:
        """The next item whose camera has a slot, which it takes; None when the outbox is closed and empty. For one task."""
        while True:
            for camera in self._turns:
                if self._waiting[camera] and self._slots.has_room(camera):
                    self._turns.remove(camera)  # the loop ends here
                    self._turns.append(camera)
                    self._slots.take(camera)
                    return self._waiting[camera].popleft()
            if self._closed and not self.depth():
                return None
            self._changed.clear()
            await self._changed.wait()

    def done(self, camera: str) -> None:
        """An item of this camera has been answered: its slot is free."""
        self._slots.give_back(camera)
        self._changed.set()

    def _add(self, item: _Item) -> None:
        camera = self._camera_of(item)
        if camera not in self._waiting:
            self._turns.append(camera)
        self._waiting[camera].append(item)
        self._changed.set()

    def _end(self) -> None:
        self._closed = True
        self._changed.set()
