"""Events that wait in memory for the disk."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from edge.output.events.spooling.reader import Entry

if TYPE_CHECKING:
    from edge.output.events.spooling.lines import Line

_MAX_BYTES = 4 << 20
"""Some ten thousand."""
_BATCH_BYTES = 1 << 16


class Waiting:
    """In order, and bounded. Whoever uses it holds the spool's lock."""

    def __init__(self, most_bytes: int = _MAX_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lines: deque[Line] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def first(self) -> int:
        """Position of the oldest; there has to be one."""
        return self._lines[0].position

    def put(self, line: Line) -> bool:
        """Whether there was room for it."""
        if self._bytes + len(line.data) > self._most_bytes:
            return False
        self._lines.append(line)
        self._bytes += len(line.data)
        return True

    def batch(self) -> list[Line]:
        """The oldest ones, as many as are written at once."""
        found: list[Line] = []
        size = 0
        for line in self._lines:
            size += len(line.data)
            if found and size > _BATCH_BYTES:
                break
            found.append(line)
        return found

    def after(self, position: int) -> list[Entry]:
        """All behind this position."""
        return [Entry(each.position, each.event) for each in self._lines if each.position > position]

    def settle(self, position: int) -> None:
        """What is not behind this position waits no longer."""
        while self._lines and self._lines[0].position <= position:
            self._bytes -= len(self._lines.popleft().data)
