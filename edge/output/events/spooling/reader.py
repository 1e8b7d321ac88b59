"""What one target has yet to get of the events: the next ones in order, and which of them it has confirmed."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.output.events.event import Event
    from edge.output.events.metrics import EventMetrics

_log = logging.getLogger(__name__)

_RETRY_S = 1.0
"""Until the disk is asked again for what it did not give."""
_TELL_S = 60.0
"""Between two lines in the log about events that are lost."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event and its place among all others; positions only grow, over restarts as well."""

    position: int
    event: Event


class Kept(Protocol):
    """What the spool says to its readers."""

    @property
    def last(self) -> int:
        """Position of the latest event that may be read."""

    def read(self, reader: Reader) -> Sequence[Entry] | None:
        """Some of the events after those that `reader` has fetched, in order; may take as long as the disk does.

        None if the disk fails; nothing if there are none.
        """


class Reader:
    """Use it on the event loop. One task calls `next`; `done` may come in any order.

    An event that was handed out and not confirmed when the process ends is handed out again by the next one.
    """

    def __init__(
        self,
        target: str,
        kept: Kept,
        lock: threading.RLock,
        metrics: EventMetrics,
        done: int,
        changed: Callable[[], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`done`: the position up to which everything was confirmed. `lock` is the spool's; `changed` is called when that grows."""
        self.target = target
        self.fetched = done
        """Position of the last event in the buffer."""
        self.place: object = None
        """Where the spool goes on reading."""
        self.unreadable_since: float | None = None
        """Since when the disk does not give what comes next."""
        self._kept, self._lock, self._changed, self._clock = kept, lock, changed, clock
        self._filling = threading.Lock()
        self._handed = done
        self._out: dict[int, Entry] = {}
        """Handed out, and neither confirmed nor given up; in order."""
        self._again: deque[Entry] = deque()
        self._buffer: deque[Entry] = deque()
        self._wake = asyncio.Event()
        self._metrics = metrics
        self._told_at = float("-inf")
        self._untold = 0
        metrics.add_target(target, lambda: self.waiting)

    @property
    def cursor(self) -> int:
        """Everything up to this position is confirmed, or lost."""
        with self._lock:
            return next(iter(self._out)) - 1 if self._out else self._handed

    @property
    def waiting(self) -> int:
        """Events that are not confirmed yet."""
        with self._lock:
            return max(0, self._kept.last - self._handed) + len(self._out)

    async def next(self) -> Entry:
        """The next event, as soon as there is one. It may be called again before the last one is confirmed.

        Who calls it bounds how many are under way at once: they are held in memory.
        """
        while True:
            entry = self._take()
            if entry is not None:
                return entry
            self._wake.clear()
            if self._kept.last <= self.fetched:
                await self._wake.wait()
            elif not await asyncio.to_thread(self.fill):
                await asyncio.sleep(_RETRY_S)

    def done(self, position: int) -> None:
        """The target has confirmed this one. What is not under way is passed over."""
        with self._lock:
            if self._out.pop(position, None) is None:
                return
            self._metrics.delivered.labels(target=self.target).inc()
        self._changed()

    def give_up(self, position: int, reason: str = "refused") -> None:
        """The target will never take this one: it is lost, and counted with this reason, which is one of LOST."""
        with self._lock:
            if self._out.pop(position, None) is None:
                return
            self.lose(1, reason)
        self._changed()

    def again(self) -> None:
        """Hand out again, in order and before all others, what was handed out and is not confirmed: the connection is a new one."""
        with self._lock:
            self._again = deque(self._out.values())

    def wake(self) -> None:
        """There may be more to read. On the event loop."""
        self._wake.set()

    def ready(self) -> Entry | None:
        """The next event if there is one, without waiting for one; from a thread that may wait for the disk."""
        entry = self._take()
        while entry is None and self._kept.last > self.fetched and self.fill():
            entry = self._take()
        return entry

    def fill(self) -> bool:
        """Read some of what comes next; False if the disk fails. From any thread."""
        with self._filling:  # a connection that ends while the disk is slow leaves one that still reads
            return bool(self._buffer) or self._fill()

    def _fill(self) -> bool:
        limit = self._kept.last
        entries = self._kept.read(self)
        with self._lock:
            if entries is None:
                return False
            if not entries and limit > self.fetched:  # what is missing is not on the disk any more
                self._skip_to(limit)
            for entry in entries:
                if entry.position > self.fetched:
                    self._buffer.append(entry)
                    self.fetched = entry.position
        return True

    def pass_over(self, position: int) -> None:
        """What is not fetched yet, up to this position, cannot be read. To be called while it is read."""
        with self._lock:
            if position > self.fetched:
                self._skip_to(position)

    def lose_to(self, position: int, reason: str) -> None:
        """Everything up to this position is removed from the spool. One that is under way counts as lost, as nobody can tell."""
        with self._lock:
            late = [each for each in self._out if each <= position]
            for each in late:
                del self._out[each]
            self._again = deque(each for each in self._again if each.position > position)
            self._buffer = deque(each for each in self._buffer if each.position > position)
            unread = max(0, position - self._handed)
            self._handed, self.fetched = max(self._handed, position), max(self.fetched, position)
            self.lose(len(late) + unread, reason)

    def lose_unwritten(self, first: int, last: int) -> None:
        """Those from `first` on were never on the disk, and end with this process; the next one delivers what is before them."""
        with self._lock:
            late = [each for each in self._out if each >= first]
            for each in late:
                del self._out[each]
            self._again = deque(each for each in self._again if each.position < first)
            self._buffer = deque(each for each in self._buffer if each.position < first)
            unread = max(0, last - max(self._handed, first - 1))
            if self._handed >= first - 1:
                self._handed = self.fetched = last
            self.lose(len(late) + unread, "disk")

    def lose(self, count: int, reason: str) -> None:
        """Count lost events, and say so in the log now and then."""
        if not count:
            return
        self._metrics.lost.labels(target=self.target, reason=reason).inc(count)
        self._untold += count
        now = self._clock()
        if now - self._told_at >= _TELL_S:
            self._told_at = now
            _log.error("events: %d are lost for %s (%s)", self._untold, self.target, reason)
            self._untold = 0

    def _take(self) -> Entry | None:
        with self._lock:
            while self._again:
                entry = self._again.popleft()
                if entry.position in self._out:  # it may have been confirmed meanwhile
                    return entry
            if not self._buffer:
                return None
            entry = self._buffer.popleft()
            self.lose(entry.position - self._handed - 1, "disk")
            self._handed = entry.position
            self._out[entry.position] = entry
            return entry

    def _skip_to(self, position: int) -> None:
        self.lose(position - self.fetched, "disk")
        self._handed = self.fetched = position
