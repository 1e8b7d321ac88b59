"""Which of the waiting frames go together: as many as there may be, and while several clients send, as few as others can wait for.

Sans-I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloud.access.company import Company
from cloud.batching.costs import Costs

if TYPE_CHECKING:
    from collections.abc import Hashable

    from cloud.batching.fair_queue import FairQueue, Ticket


class Selection:
    """Takes batches out of a queue."""

    def __init__(self, queue: FairQueue, max_batch: int, shared_run_s: float) -> None:
        """`max_batch` is frames; while several clients send, a run of several frames takes at most `shared_run_s` seconds."""
        self.costs = Costs()
        self.company = Company()
        self._queue = queue
        self._max_batch = max_batch
        self.shared_run_s = shared_run_s

    def take(self, now_s: float) -> tuple[list[Ticket], bool]:
        """The batch whose turn it is, empty if nothing waits, and whether others may want to go in its pauses."""
        if not self.company.is_shared(now_s):
            return self._queue.take(self._max_batch), False
        if not len(self._queue):
            return [], True
        most = self.costs.frames_in(self.shared_run_s, self._queue.first(), self._max_batch)
        return self._queue.take(most), True

    def board(
        self, tail: Hashable, aboard: int, left_s: float, added_s: float, *, shared: bool
    ) -> tuple[list[Ticket], float]:
        """Those of this tail that board a run for which it is what is left, and what they add to its time.

        `aboard` frames are in the run, of which the most urgent has `left_s` seconds left: it is not made late. `added_s` is what others
        have added by boarding; while several clients send, all together add at most as much as a shared run may take.
        """
        cost_s = self.costs.of(tail)
        room = min(self._max_batch, left_s / cost_s) - aboard
        if shared:
            room = min(room, (self.shared_run_s - added_s) / cost_s)

        def limit(ticket: Ticket) -> int:
            return int(room) if ticket.tail == tail and ticket.frames <= room else 0

        boarding = self._queue.take_some(limit)
        return boarding, cost_s * sum(ticket.frames for ticket in boarding)

    def take_short(self, seconds: float, clients: set[Hashable]) -> list[Ticket]:
        """A batch of others than these clients that takes no longer than so many seconds."""

        def limit(ticket: Ticket) -> int:
            may = self.costs.are_within(seconds, ticket) and ticket.client not in clients
            return self.costs.frames_in(seconds, ticket, self._max_batch) if may else 0

        return self._queue.take_some(limit)
