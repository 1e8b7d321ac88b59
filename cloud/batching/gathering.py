"""Whether the first frame of a batch waits for others: only for what is on its way, and only where waiting has paid lately."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

_LATELY_S = 10.0
"""For how long it is remembered that two frames came close together."""


class Gathering:
    """Knows how many requests are being decoded, and when two frames of one tail came within the wait of each other."""

    def __init__(self, wait_s: float, changed: Callable[[], object] = lambda: None) -> None:
        """`wait_s`: seconds that the first frame of a batch may wait; `changed` is called when fewer are on their way."""
        self.wait_s = wait_s
        self.on_their_way = 0
        """Requests whose body is complete and that are not in the queue yet."""
        self._changed = changed
        self._last: tuple[int, float] | None = None  # no tail is held, only its hash
        self._together_s = -math.inf

    @contextmanager
    def expect(self) -> Iterator[None]:
        """In the block a request is on its way to the queue."""
        self.on_their_way += 1
        try:
            yield
        finally:
            self.on_their_way -= 1
            self._changed()

    def note(self, tail: Hashable, now_s: float) -> None:
        """A frame of this tail has come to the queue."""
        key = hash(tail)
        if self._last and self._last[0] == key and now_s - self._last[1] <= self.wait_s:
            self._together_s = now_s
        self._last = key, now_s

    def pays(self, now_s: float) -> bool:
        """Whether a batch that is not full should wait: something is on its way, and lately there was company within the wait."""
        return self.on_their_way > 0 and now_s - self._together_s < _LATELY_S
