"""The event loop's attention: a little of each turn for each owner, so that nobody's many connections hold up another's few.

Every event of a socket, and every request, costs the loop some time, and all events of a turn are handled before the next turn. So a
turn handles so much as keeps it short; the rest waits, and is taken up by start-time fair queueing between owners, as frames are before
the tails. On the event loop only.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

EVENT = 1.0
"""What handling one event of a socket costs; the unit is about 50 µs."""
READ = 0.2
"""What reading a piece of a body costs, of which there are three for each chunk of a chunked one."""
READ_BYTE = 1 / (64 << 10)
"""What each of its bytes costs on top, at most."""
REQUEST = 4.0
"""What a request costs, from its header to its answer."""
FRAME = 2.5
"""What a frame of a session costs besides its reading, from its message to its answer: 250 to 450 µs where a request takes 500."""
HEADER_BYTE = 1 / 1024
"""What each byte of its header costs on top."""
_A_TURN = 8.0
"""What one turn of the loop handles."""
_FIRST = 4.0
"""Times as much is handled in a turn for owners that had nothing of it yet."""
_MOST_USED = 4096
"""Owners whose use is remembered while others wait; above it those that are owed nothing are forgotten."""


class Attention:
    """Says what is handled now, and calls back for what has to wait."""

    def __init__(self, soon: Callable[[Callable[[], object]], object] | None = None) -> None:
        """`soon` calls a function in the next turn of the loop; by default that of the running loop."""
        self._soon = soon or (lambda function: asyncio.get_running_loop().call_soon(function))
        self._spent = 0.0  # of this turn
        self._served: set[str] = set()  # in this turn
        self._turning = False
        self._waiting: dict[str, deque[tuple[float, Callable[[], object]]]] = {}
        self._order: list[tuple[float, int, str]] = []  # a heap: where each waiting owner's next turn starts
        self._used: dict[str, float] = {}
        self._now = 0.0
        self._arrivals = 0

    def waiting(self) -> int:
        """How much waits."""
        return sum(map(len, self._waiting.values()))

    def take(self, owner: str, cost: float) -> bool:
        """Whether something of this owner may be handled at once; if so it counts."""
        most = _A_TURN if owner in self._served else _FIRST * _A_TURN
        if owner in self._waiting or self._spent >= most:
            return False
        self._count(owner, cost)
        return True

    def wait(self, owner: str, cost: float, begin: Callable[[], object]) -> None:
        """Call `begin` in a later turn of the loop, when it is this owner's."""
        queue = self._waiting.get(owner)
        if queue is None:
            queue = self._waiting[owner] = deque()
            self._enter(owner)
        queue.append((cost, begin))
        self._turn_later()

    def _enter(self, owner: str) -> None:
        self._arrivals += 1
        heappush(self._order, (max(self._now, self._used.get(owner, 0.0)), self._arrivals, owner))

    def _count(self, owner: str, cost: float) -> None:
        self._used[owner] = max(self._now, self._used.get(owner, 0.0)) + cost
        self._served.add(owner)
        self._spent += cost
        self._turn_later()

    def _turn_later(self) -> None:
        if not self._turning:
            self._turning = True
            self._soon(self._turn)

    def _turn(self) -> None:
        """A new turn of the loop has begun."""
        self._turning, self._spent = False, 0.0
        self._served.clear()
        while self._order and self._spent < _A_TURN:
            self._now, _, owner = heappop(self._order)
            queue = self._waiting[owner]
            cost, begin = queue.popleft()
            self._count(owner, cost)
            if queue:
                self._enter(owner)
            else:
                del self._waiting[owner]
            try:
                begin()
            except Exception:  # noqa: BLE001 - whatever it was, the others' turns come
                _log.exception("a connection's event was not handled")
        if not self._order:  # nobody is owed anything
            self._used.clear()
            self._now = 0.0
        elif len(self._used) > _MOST_USED:
            self._used = {owner: used for owner, used in self._used.items() if used > self._now}
