"""A bound on what one kind of line can add to the log: whoever is on the other side of the network must not be able to fill a disk."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTE_S = 60.0
MOST_LINES = 30
"""Lines of one kind within a minute: at 300 characters each, 9 kB."""
_MOST_KINDS = 1000


@dataclass(slots=True)
class _Kind:
    began: float
    lines: int = 0
    left_out: int = 0


class FloodGate(logging.Filter):
    """Lets MOST_LINES a minute of one kind through, and then none; the next one says how many were left out.

    Of one kind are the lines of one logger with the same text before values are put into it. May be used from any thread.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is to be written; one that follows on others that were not has their number at its end."""
        now, key = self._clock(), (record.name, str(record.msg))
        with self._lock:
            kind = self._kinds.get(key)
            if kind is None:
                if len(self._kinds) >= _MOST_KINDS:
                    self._forget(now)
                kind = self._kinds[key] = _Kind(now)
            left_out = 0
            if now >= kind.began + MINUTE_S:
                left_out = kind.left_out
                kind.began, kind.lines, kind.left_out = now, 0, 0
            if kind.lines >= MOST_LINES:
                kind.left_out += 1
                return False
            kind.lines += 1
        if left_out:
            record.msg = f"{record.getMessage()} (and {left_out} more like this since, which were left out)"
            record.args = None
        return True

    def _forget(self, now: float) -> None:
        """Kinds of which nothing came lately; all, if that is none: texts that are never twice the same are no kinds."""
        self._kinds = {key: kind for key, kind in self._kinds.items() if now < kind.began + MINUTE_S}
        if len(self._kinds) >= _MOST_KINDS:
            self._kinds.clear()
