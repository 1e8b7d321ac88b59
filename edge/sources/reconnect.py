"""A live source that comes, and comes back: cameras are switched off, networks fail, and the edge must not need a restart."""

from __future__ import annotations

import logging
import random
import time
from threading import Event
from typing import TYPE_CHECKING, Protocol

from shared.errors import SourceError, UnusableSourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.sources.base import Shot, Source
    from shared.observing.counting.counter import Count

_log = logging.getLogger(__name__)

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0


class Up(Protocol):
    """Who is told whether there are frames."""

    def set(self, value: float) -> None:
        """1: there are; 0: there are no more."""

    def lost(self) -> None:
        """There are none, and it is tried again."""


class Reconnecting:
    """A source that opens `source` whenever there is none, for as long as it takes: at the start, and after every loss.

    Only what waiting cannot mend ends it, and only before the first frame.
    """

    def __init__(
        self,
        source: Source,
        *,
        up: Up,
        reconnects: Count,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`up` is told whether there are frames, `reconnects` counts the attempts after the first; `jitter` gives numbers in [0, 1)."""
        self.live = source.live
        self.name = source.name
        self._source = source
        self._up = up
        self._reconnects = reconnects
        self._clock = clock
        self._stopped = Event()
        self._wait = wait or self._stopped.wait
        self._jitter = jitter
        self._begin()

    def open(self) -> None:
        """Get ready. The first `read` connects, as a camera that is off would hold up everything else here."""
        self._stopped.clear()
        self._begin()

    def read(self) -> Shot | None:
        """The next frame, however long it takes; None after `stop`, or if the source has an end.

        Raises UnusableSourceError, before the first frame.
        """
        while not self._stopped.is_set():
            if not self._is_up:
                self._connect()
                continue
            try:
                shot = self._source.read()
            except SourceError as error:
                if not self._stopped.is_set():
                    self._lose(error)
            else:
                if shot is None:
                    self._up.set(0)
                return shot
        return None

    def stop(self) -> None:
        """End a `read` that waits, and all later ones. May be called from any thread."""
        self._stopped.set()
        self._source.close()

    def close(self) -> None:
        self.stop()
        self._up.set(0)

    def _begin(self) -> None:
        self._is_up = self._was_up = False
        self._reason = ""
        """Why it could not be opened or was lost, as last logged; empty before the first attempt."""
        self._wait_s = FIRST_WAIT_S
        self._up_since = self._down_since = self._clock()

    def _connect(self) -> None:
        """Try once, after a wait unless it is the first time."""
        if self._reason:
            # Random, so that many edges do not come back at the same time.
            self._wait(self._wait_s * (0.5 + self._jitter() / 2))
            self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
            if self._stopped.is_set():
                return
            self._reconnects.inc()
        try:
            self._source.open()
        except SourceError as error:
            if self._stopped.is_set():
                return
            if isinstance(error, UnusableSourceError) and not self._was_up:
                raise
            self._up.lost()
            self._say_missing(str(error))
        else:
            self._come_up()

    def _say_missing(self, reason: str) -> None:
        if not self._reason:
            _log.warning("source not there yet, waiting for it: %s", reason)
        elif reason != self._reason:
            _log.warning("source still %s: %s", "lost" if self._was_up else "not there", reason)
        self._reason = reason

    def _come_up(self) -> None:
        self._is_up = True
        self._up.set(1)
        self._up_since = self._clock()
        if self._reason:
            came = "back" if self._was_up else "there"
            _log.info("source %s: %s, after %.1f s", came, self.name, self._up_since - self._down_since)
        self._was_up = True

    def _lose(self, error: SourceError) -> None:
        self._is_up = False
        self._up.lost()
        self._source.close()
        self._down_since = self._clock()
        if (
            self._down_since - self._up_since > self._wait_s
        ):  # a source that is lost at once keeps its long wait
            self._wait_s = FIRST_WAIT_S
        self._reason = str(error)
        _log.warning("source lost: %s", error)
