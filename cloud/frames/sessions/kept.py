"""The last answers of a session, which its edge may not have got: a connection may break with them under way.

As many are kept as frames may be unanswered. What was sent before them has come, as a connection keeps the order.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, TypeAlias

from shared.errors import RequestError
from shared.wire.session.messages import Answered

if TYPE_CHECKING:
    from collections.abc import Iterable

Said: TypeAlias = Answered | tuple[int, RequestError]
"""The answer to a frame, or its number with the refusal."""
KEPT_BYTES = 1 << 20
"""Bytes of all answers that one session keeps. A longer one is computed again, if the connection breaks while it is under way."""
_OVERHEAD_BYTES = 512


class Kept:
    """Bounded in number and bytes; the oldest go. On the event loop only."""

    def __init__(self, most: int, most_bytes: int = KEPT_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._said: OrderedDict[int, Said] = OrderedDict()
        self.size = 0
        """Bytes kept, about."""

    def __len__(self) -> int:
        return len(self._said)

    def put(self, said: Said) -> None:
        """Keep one more."""
        number = _number_of(said)
        self._drop(number)
        self._said[number] = said
        self.size += _size_of(said)
        while self._said and (len(self._said) > self._most or self.size > self._most_bytes):
            self._drop(next(iter(self._said)))

    def keep(self, numbers: Iterable[int]) -> list[Said]:
        """Drop all but those of these numbers; what is left, in order."""
        wanted = set(numbers)
        for number in [each for each in self._said if each not in wanted]:
            self._drop(number)
        return list(self._said.values())

    def drop(self, number: int) -> None:
        """The edge has sent another frame by this number, so that it has the answer."""
        self._drop(number)

    def _drop(self, number: int) -> None:
        if said := self._said.pop(number, None):
            self.size -= _size_of(said)


def _number_of(said: Said) -> int:
    return said.number if isinstance(said, Answered) else said[0]


def _size_of(said: Said) -> int:
    return _OVERHEAD_BYTES + (len(said.body) if isinstance(said, Answered) else 0)
