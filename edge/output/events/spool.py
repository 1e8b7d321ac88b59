"""Events on their way out, on the disk: bounded, in order, and delivered at least once to each target, whoever is killed meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import threading
import time
from typing import TYPE_CHECKING

from edge.output.events.spooling.cursors import Cursors
from edge.output.events.spooling.folder import take, unusable
from edge.output.events.spooling.lines import line_of
from edge.output.events.spooling.reader import Entry, Reader
from edge.output.events.spooling.segments import Segments
from edge.output.events.spooling.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from edge.output.events.event import Event
    from edge.output.events.metrics import EventMetrics
    from edge.output.events.spooling.lines import Line

__all__ = ["Entry", "Reader", "Spool"]

_log = logging.getLogger(__name__)

_TARGET = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_PERIOD_S = 0.05
"""Between two writes: what comes meanwhile is written, and what was confirmed meanwhile is noted, all at once."""
_RETRY_S = 1.0
_UNREADABLE_S = 600.0  # then a segment is passed over: one bad sector is not to hold up a target for ever
_PATIENCE_S = 5.0
"""At the end, with nothing being written in the meantime."""


class Spool:
    """Open it, take a reader for each target, and start it; `append` from any thread, readers on the event loop, `close` last.

    A target whose reader is not taken is given up: what it has not got may go.
    """

    def __init__(
        self,
        folder: Path,
        max_bytes: int,
        metrics: EventMetrics,
        clock: Callable[[], float] = time.monotonic,
        waiting: Waiting | None = None,
    ) -> None:
        """Take up what an earlier process left in `folder`, which gets no larger than `max_bytes`.

        Raises SettingsError if the folder cannot be used, or another process does.
        """
        self._folder, self._metrics, self._clock = folder, metrics, clock
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._readers: dict[str, Reader] = {}
        self._waiting = Waiting() if waiting is None else waiting
        self._failing = False
        self._retry_at = 0.0
        self._closing = self._ended = self._confirmed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._owned = take(folder)
        try:
            self._segments = Segments(folder, max_bytes)
            self._cursors = Cursors(folder)
            self._position = max(self._segments.last, self._cursors.furthest())
        except OSError as error:
            os.close(self._owned)
            raise unusable(folder, error) from None

    @property
    def numbers(self) -> Mapping[str | None, int]:
        """The latest number of each camera's events, and of the edge's own (None), of all processes before this one."""
        return dict(self._segments.numbers)

    @property
    def last(self) -> int:
        """Position of the latest event that may be read: one that is on the disk, or that the disk does not take."""
        with self._lock:
            return self._waiting.first - 1 if self._waiting and not self._failing else self._position

    def reader(self, target: str) -> Reader:
        """What this target has yet to get: all that it has not confirmed; of one that is new, what happens from now on.

        `target`: small letters, digits, `.`, `_` and `-`; also the metrics' label. Once for each, before `start`. Raises SettingsError.
        """
        if not _TARGET.fullmatch(target) or target in self._readers or self._thread:
            raise ValueError(f"a reader for {target!r}")
        try:
            done = self._cursors.open(target, newest=self._position, oldest=0)
        except OSError as error:
            raise unusable(self._folder, error) from None
        reader = self._readers[target] = Reader(
            target, self, self._lock, self._metrics, done, self._notify, self._clock
        )
        return reader

    def start(self) -> None:
        """Begin to write. On the event loop that the readers are used on."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._thread.start()

    def append(self, event: Event) -> bool:
        """Have it written and delivered; False if it is lost, as more than can be written wait already. Never waits for the disk."""
        with self._changed:
            line = line_of(self._position + 1, event)
            if self._closing or not self._waiting.put(line):
                for reader in self._readers.values():
                    reader.lose(1, "queue")
                return False
            self._position += 1
            self._metrics.events.labels(kind=event.kind.value).inc()
            self._changed.notify_all()
            if self._failing:
                self._wake()
        return True

    def read(self, reader: Reader) -> Sequence[Entry] | None:
        """See `Kept`."""
        with self._lock:  # before the disk is looked at: what is written meanwhile must not be in neither
            held = self._waiting.after(reader.fetched) if self._failing else []
        try:
            found, reader.place = self._segments.read(reader.fetched, reader.place)
            reader.unreadable_since = None
        except OSError as error:
            self._cannot_read(reader, error)
            return None
        return found or held

    def work(self) -> None:
        """What the thread does again and again: write what waits, note what was confirmed, remove what nobody needs any more."""
        if self._clock() < self._retry_at:
            return
        try:
            while batch := self._batch():
                self._write(batch)
            self._note()
        except OSError as error:
            self._retry_at = self._clock() + _RETRY_S
            if not self._failing:
                text = "events %s: %s; what cannot be delivered before this process ends is lost"
                _log.error(text, self._folder, error.strerror)
            self._failing = True
        else:
            if self._failing:
                _log.warning("events %s: written again", self._folder)
            self._failing = False
        self._wake()

    def close(self) -> None:
        """Write what waits, and how far each target is. May be called again. What is appended later is lost."""
        with self._changed:
            if self._ended:
                return
            self._closing, self._retry_at = True, 0.0
            self._changed.notify_all()
        waiting = -1
        while self._thread and self._thread.is_alive() and waiting != len(self._waiting):
            waiting = len(self._waiting)
            self._thread.join(_PATIENCE_S)
        hangs = self._thread is not None and self._thread.is_alive()
        if not self._thread:
            self.work()
        with self._lock:
            self._ended = True
            if self._waiting:
                _log.error("events %s: %d were not written", self._folder, len(self._waiting))
                for reader in self._readers.values():
                    reader.lose_unwritten(self._waiting.first, self._position)
        if not hangs:
            self._segments.close()
            self._cursors.close()
            with contextlib.suppress(OSError):
                os.close(self._owned)

    def _cannot_read(self, reader: Reader, error: OSError) -> None:
        now = self._clock()
        if reader.unreadable_since is None:
            reader.unreadable_since = now
            _log.error("events %s: %s; read again", self._folder, error.strerror)
        elif now - reader.unreadable_since >= _UNREADABLE_S:
            reader.unreadable_since = None
            position, reader.place = self._segments.behind(reader.fetched)
            reader.pass_over(position)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._waiting or self._confirmed)
                closing, self._confirmed = self._closing, False
            try:
                self.work()
            except Exception:  # noqa: BLE001 - a thread's end would be the end of all later events
                _log.exception("events %s: writing failed", self._folder)
                self._retry_at = self._clock() + _RETRY_S
            if closing:
                return
            with self._changed:
                self._changed.wait_for(lambda: self._closing, _PERIOD_S)

    def _batch(self) -> list[Line]:
        """The next lines to write, without those that every target has confirmed meanwhile."""
        with self._lock:
            self._waiting.settle(min((each.cursor for each in self._readers.values()), default=0))
            return self._waiting.batch()

    def _write(self, batch: Sequence[Line]) -> None:
        gone = self._segments.crowded(sum(len(each.data) for each in batch))
        if gone:
            for reader in self._readers.values():
                reader.lose_to(gone, "full")
            with contextlib.suppress(OSError):  # on a full disk; what goes makes room
                self._note()
            self._segments.remove_to(gone)
        self._segments.append(batch)
        with self._lock:
            self._waiting.settle(batch[-1].position)
        self._wake()

    def _note(self) -> None:
        """Note how far each target is, then remove what none has still to get: in this order, so that nothing is missed."""
        cursors = {target: reader.cursor for target, reader in self._readers.items()}
        for target, cursor in cursors.items():
            if cursor != self._cursors.stored(target):
                self._cursors.store(target, cursor)
        if cursors:
            self._segments.remove_to(min(cursors.values()))

    def _notify(self) -> None:
        with self._changed:
            self._confirmed = True
            self._changed.notify_all()

    def _wake(self) -> None:
        if self._loop:
            with contextlib.suppress(RuntimeError):  # it is closed: nobody reads any more
                self._loop.call_soon_threadsafe(self._wake_all)

    def _wake_all(self) -> None:
        for reader in self._readers.values():
            reader.wake()
