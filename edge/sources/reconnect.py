"""A live source that comes back: cameras are switched off, networks fail, and the edge must not need a restart."""

from __future__ import annotations

import logging
import random
import time
from threading import Event
from typing import TYPE_CHECKING

from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import Counter, Gauge

    from edge.sources.base import Shot, Source

_log = logging.getLogger(__name__)

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0


class Reconnecting:
    """A source that opens `source` again whenever it is lost, for as long as it takes.

    Only the first `open` may fail: nothing has worked yet, so the address is probably wrong.
    """

    def __init__(
        self,
        source: Source,
        *,
        up: Gauge,
        reconnects: Counter,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`up` is 1 while there are frames, `reconnects` counts the attempts; `jitter` gives numbers in [0, 1)."""
        self.live = source.live
        self.name = source.name
        self._source = source
        self._up = up
        self._reconnects = reconnects
        self._clock = clock
        self._stopped = Event()
        self._wait = wait or self._stopped.wait
        self._jitter = jitter
        self._wait_s = FIRST_WAIT_S
        self._up_since = 0.0

    def open(self) -> None:
        """Open it for the first time. Raises SourceError."""
        self._stopped.clear()
        self._source.open()
        self._came_up()

    def read(self) -> Shot | None:
        """The next frame, however long it takes; None after `stop`, or if the source has an end."""
        while not self._stopped.is_set():
            try:
                shot = self._source.read()
            except SourceError as error:
                if not self._stopped.is_set():
                    self._recover(error)
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

    def _recover(self, reason: SourceError) -> None:
        lost_at = self._clock()
        self._up.set(0)
        self._source.close()
        if lost_at - self._up_since > self._wait_s:  # a source that is lost at once keeps its long wait
            self._wait_s = FIRST_WAIT_S
        _log.warning("source lost: %s", reason)
        while not self._stopped.is_set():
            # Random, so that many edges do not come back at the same time.
            self._wait(self._wait_s * (0.5 + self._jitter() / 2))
            self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
            if self._stopped.is_set():
                return
            self._reconnects.inc()
            try:
                self._source.open()
            except SourceError as error:
                if str(error) != str(reason):
                    _log.warning("source still lost: %s", error)
                reason = error
            else:
                self._came_up()
                _log.info("source back: %s, after %.1f s", self.name, self._up_since - lost_at)
                return

    def _came_up(self) -> None:
        self._up.set(1)
        self._up_since = self._clock()
