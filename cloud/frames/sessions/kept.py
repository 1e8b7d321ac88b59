"""The last answers of a session, which its edge may not have got: a connection may break with them under way.

As many are kept as frames may be unanswered. What was sent before them has come, as a connection keeps the order.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

KEPT_BYTES = 1 << 20
"""Bytes of all that one session keeps. A longer answer is computed again, if the connection breaks while it is under way."""
_OVERHEAD_BYTES = 256


class Kept:
    """Messages, as they were sent, by their frames' numbers: bounded in number and bytes; the oldest go. On the event loop only.

    No refusal is kept as an exception, which would hold all that its traceback leads to: the frame, and so its message.
    """

    def __init__(self, most: int, most_bytes: int = KEPT_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._said: OrderedDict[int, bytes] = OrderedDict()
        self.size = 0
        """Bytes kept, about."""

    def __len__(self) -> int:
        return len(self._said)

    def put(self, number: int, message: bytes) -> None:
        """Keep one more."""
        self.drop(number)
        self._said[number] = message
        self.size += _OVERHEAD_BYTES + len(message)
        while self._said and (len(self._said) > self._most or self.size > self._most_bytes):
            self.drop(next(iter(self._said)))

    def keep(self, numbers: Iterable[int]) -> dict[int, bytes]:
        """Drop all but those of these numbers; what is left, in order."""
        wanted = set(numbers)
        for number in [each for each in self._said if each not in wanted]:
            self.drop(number)
        return dict(self._said)

    def drop(self, number: int) -> None:
        """The edge has it; nothing if there is none."""
        if (message := self._said.pop(number, None)) is not None:
            self.size -= _OVERHEAD_BYTES + len(message)
