"""Writes records on a thread of its own: neither a slow disk nor a reader that pauses holds up frames or the event loop."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from shared.observing.json_lines import encoded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.output.results import Record
    from shared.observing.counting.counter import Counter
    from shared.observing.json_lines import JsonLines

_log = logging.getLogger(__name__)

_MAX_WAITING_BYTES = 8 << 20
"""Records that wait to be written: half a minute of eight cameras."""
_TEND_S = 10.0
_PATIENCE_S = {False: 5.0, True: 60.0}
"""At the end, with no record being written in the meantime: of cameras, and of recordings."""


class RecordWriter:
    """A sink for records. Each is written within a millisecond, where the disk allows; what cannot wait any more is lost, counted.

    Of recordings nothing is lost because it came too fast: the caller waits. Call it, and `close` it, from one thread.
    """

    def __init__(
        self, files: Mapping[str, JsonLines], errors: Counter, *, wait: bool, patience_s: float | None = None
    ) -> None:
        """`files` has the file of each camera, one file perhaps for several; they belong to the writer from now on.

        `errors` counts lost records. `wait` is for recordings. At the end, a disk that takes nothing is given up after `patience_s`.
        """
        self._files = files
        self._distinct = tuple({id(file): file for file in files.values()}.values())
        self._errors, self._wait = errors, wait
        self._patience_s = _PATIENCE_S[wait] if patience_s is None else patience_s
        self._changed = threading.Condition()
        self._waiting: deque[tuple[JsonLines, bytes]] = deque()
        self._waiting_bytes = 0
        self._written = 0
        self._lost = self._lost_in_a_row = 0
        self._closing = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """Records that could not be written so far; of all after `close`."""
        return self._lost + sum(file.lost for file in self._distinct)

    def __call__(self, record: Record) -> None:
        """Have it written. Raises BrokenPipeError once the reader of a pipe has gone."""
        line = encoded(record.fields())
        with self._changed:
            while self._wait and not self._closing and not self._has_room(len(line)):
                self._changed.wait()
            self._raise_failure()
            if self._closing or not self._has_room(len(line)):
                self._lose()
                return
            if self._lost_in_a_row:
                _log.warning("results: written again; %d records were lost", self._lost_in_a_row)
            self._lost_in_a_row = 0
            self._waiting.append((self._files[record.camera], line))
            self._waiting_bytes += len(line)
            self._changed.notify_all()

    def close(self) -> None:
        """Write what waits, then close the files. Records that come later are lost. Raises as a call does."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        endless = self._wait and not all(file.on_disk for file in self._distinct)  # its reader sets the pace
        written = -1
        while self._thread.is_alive() and (endless or written != self._written):
            written = self._written
            self._thread.join(self._patience_s)
        with self._changed:
            if self._thread.is_alive():  # a network's disk may not answer for hours
                self._errors.inc(len(self._waiting))
                self._lost += len(self._waiting)
                _log.error("results: nothing takes them; %d records are lost", len(self._waiting))
                return
        for file in self._distinct:
            file.close()
        self._raise_failure()

    def _has_room(self, more: int) -> bool:
        """Whether a line may join those that wait; after a loss only once half of them are gone. A failure needs no room."""
        most = _MAX_WAITING_BYTES // 2 if self._lost_in_a_row else _MAX_WAITING_BYTES
        return not self._waiting or self._waiting_bytes + more <= most or self._failure is not None

    def _lose(self) -> None:
        self._errors.inc()
        self._lost += 1
        if not self._lost_in_a_row:
            _log.error(
                "results: they are written more slowly than they come; records are lost until some are"
            )
        self._lost_in_a_row += 1

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        tend_at = 0.0
        try:
            while True:
                if time.monotonic() >= tend_at:
                    tend_at = time.monotonic() + _TEND_S
                    for file in self._distinct:
                        file.tend()
                with self._changed:
                    if not self._waiting and not self._closing:
                        self._changed.wait(_TEND_S)
                    if not self._waiting:
                        if self._closing:
                            return
                        continue
                    file, line = self._waiting[0]
                file.write_bytes(line)
                with self._changed:
                    self._waiting.popleft()
                    self._waiting_bytes -= len(line)
                    self._written += 1
                    if self._wait:
                        self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - whoever calls next is told
            with self._changed:
                self._failure = error
                self._changed.notify_all()
