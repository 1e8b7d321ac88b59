"""What a frame costs at each tail, in seconds: learned from the runs."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from cloud.batching.fair_queue import Ticket

_TAILS = 256
_RUNS = 8
_UNKNOWN_S = 0.01
"""A frame's cost while no run has been seen: any number does, since all frames then cost the same."""


class Costs:
    """Seconds that one frame takes in a run of a tail. Holds no tail, and at most 256 numbers of them."""

    def __init__(self) -> None:
        self._seconds: OrderedDict[int, deque[float]] = OrderedDict()

    def of(self, tail: Hashable) -> float:
        """Seconds of one frame; of a tail that never ran, as many as the most expensive one's."""
        runs = self._seconds.get(hash(tail))
        if runs:
            return min(runs)
        return max(map(min, self._seconds.values()), default=_UNKNOWN_S)

    def of_all(self, ticket: Ticket) -> float:
        """Seconds of all frames of a ticket, by what is known now."""
        return ticket.frames * self.of(ticket.tail)

    def are_within(self, seconds: float, ticket: Ticket) -> bool:
        """Whether it is known that this ticket takes no longer."""
        return hash(ticket.tail) in self._seconds and self.of_all(ticket) <= seconds

    def frames_in(self, seconds: float, ticket: Ticket, most: int) -> int:
        """How many frames of a ticket's tail take so long: 1 to `most`; 1 if it never ran, as that may take any time."""
        if hash(ticket.tail) not in self._seconds:
            return 1
        return int(max(1.0, min(most, seconds / self.of(ticket.tail))))

    def note(self, tail: Hashable, frames: int, seconds: float) -> None:
        """Learn from one run. The shortest of the last eight counts: a first one compiles, others wait for a core."""
        key = hash(tail)
        self._seconds.setdefault(key, deque(maxlen=_RUNS)).append(max(1e-6, seconds / frames))
        self._seconds.move_to_end(key)
        if len(self._seconds) > _TAILS:
            self._seconds.popitem(last=False)
