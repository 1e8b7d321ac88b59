"""Frames that wait for their tail: bounded, in order of arrival, and fair between clients.

Sans-I/O. The order is start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996) of the work that frames cost: a client with one
request waiting goes before the rest of a client with many, and one frame that costs ten times as much counts as ten. When the
queue is full, the newest request of the client with the most frames in it makes room for a client with fewer.

A client is whoever cloud/access says that it is, and nothing that the frame says.
"""

from __future__ import annotations

import math
from bisect import insort
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cloud.access.refusals import BusyError
from cloud.batching.crossing import frames_in

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Hashable

    from cloud.batching.crossing import Crossing


@dataclass(eq=False, slots=True)
class Ticket:
    """What one caller has waiting: a crossing, and the future of its result."""

    tail: Hashable
    """The tail that it waits for: tickets of equal ones may share a batch."""
    crossing: Crossing
    client: Hashable
    arrived: float  # on the loop's clock
    result: asyncio.Future[Any]
    work: float = 0
    """What it is expected to cost, in a unit that all tickets share; by default one for each frame."""
    paid: Callable[[float], None] = lambda _seconds: None
    """Is told what it cost, also if nobody waits for it any more."""
    until: float = math.inf
    """When its answer comes too late, on the loop's clock."""
    turn: tuple[float, int] = field(default=(0, 0), init=False)
    """Its place in the queue: its client's share used so far, then the order of arrival."""

    def __post_init__(self) -> None:
        self.work = self.work or self.frames

    @property
    def frames(self) -> int:
        """How many frames the crossing holds."""
        return frames_in(self.crossing)


class FairQueue:
    """Holds at most `capacity` frames."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.depth = 0
        """Frames waiting."""
        self._tickets: list[Ticket] = []  # by turn
        self._waiting: Counter[Hashable] = Counter()  # frames of each client
        self._of_tail: Counter[Hashable] = Counter()
        self._used: dict[Hashable, float] = {}  # where each client's next turn starts
        self._now: float = 0  # the turn that was served last
        self._arrivals = 0

    def __len__(self) -> int:
        return len(self._tickets)

    def require_place(self, client: Hashable, frames: int) -> None:
        """Raise BusyError if there is no place for so many frames of this client, and none would be made."""
        missing = self.depth + frames - self.capacity
        if missing <= 0:
            return
        wanted = self._waiting[client] + frames
        # A client that would still have more than this one gives way to it.
        available = sum(max(0, each - wanted) for other, each in self._waiting.items() if other != client)
        if available < missing:
            raise BusyError(f"the queue is full ({self.depth} of {self.capacity}); try again in a second")

    def put(self, ticket: Ticket) -> list[Ticket]:
        """Add a ticket; returns the tickets that made room for it and no longer wait. Raises BusyError."""
        self.require_place(ticket.client, ticket.frames)
        displaced = []
        while self.depth + ticket.frames > self.capacity:
            greediest = max(self._waiting, key=lambda client: self._waiting[client])
            newest = next(each for each in reversed(self._tickets) if each.client == greediest)
            self.remove(newest)
            displaced.append(newest)
        start = max(self._now, self._used.pop(ticket.client, 0))
        self._used[ticket.client] = start + ticket.work
        self._arrivals += 1
        ticket.turn = (start, self._arrivals)
        insort(self._tickets, ticket, key=lambda each: each.turn)
        self._waiting[ticket.client] += ticket.frames
        self._of_tail[ticket.tail] += ticket.frames
        self.depth += ticket.frames
        self._forget_absent_clients()
        return displaced

    def remove(self, ticket: Ticket) -> bool:
        """Take out a ticket that will not be served; returns whether it was still waiting."""
        if ticket not in self._tickets:
            return False
        for later in self._tickets:  # the client is not charged for it: its later tickets move up
            if later.client == ticket.client and later.turn > ticket.turn:
                later.turn = (later.turn[0] - ticket.work, later.turn[1])
        self._used[ticket.client] -= ticket.work
        self._tickets.sort(key=lambda each: each.turn)
        self._drop(ticket)
        return True

    def charge(self, client: Hashable, work: float) -> None:
        """Note that this client has cost so much more than its tickets said, or less: its next turns come later, or sooner.

        Whoever has nothing waiting while no others wait owes nothing.
        """
        if self._tickets:
            used = self._used.pop(client, self._now)
            self._used[client] = (max(self._now, used) if work > 0 else used) + work
            self._forget_absent_clients()

    def _drop(self, ticket: Ticket) -> None:
        self._tickets.remove(ticket)
        self.depth -= ticket.frames
        self._waiting[ticket.client] -= ticket.frames
        if not self._waiting[ticket.client]:
            del self._waiting[ticket.client]
        self._of_tail[ticket.tail] -= ticket.frames
        if not self._of_tail[ticket.tail]:
            del self._of_tail[ticket.tail]
        if not self._tickets:  # no client is owed anything, and clients that never come back are forgotten
            self._used.clear()
            self._now = 0

    def first(self) -> Ticket:
        """The ticket whose turn it is. The queue must not be empty."""
        return self._tickets[0]

    def frames_of(self, tail: Hashable) -> int:
        """Frames that wait for one tail. For any thread."""
        return self._of_tail[tail]

    def take(self, limit: int) -> list[Ticket]:
        """Take the ticket whose turn it is, and those of its tail that fit beside it into `limit` frames."""
        batch = self._batch(lambda _ticket: limit)
        for ticket in batch:
            self._now = batch[0].turn[0]
            self._drop(ticket)
        return batch

    def take_some(self, limit: Callable[[Ticket], int]) -> list[Ticket]:
        """The same out of turn, as of some tickets only: `limit` gives the frames beside one that goes first, 0 if it may not go."""
        batch = self._batch(limit)
        for ticket in batch:
            self._drop(ticket)
        return batch

    def _batch(self, limit: Callable[[Ticket], int]) -> list[Ticket]:
        batch: list[Ticket] = []
        frames, most = 0, 0
        for ticket in list(self._tickets):
            if ticket.result.done():  # its caller is leaving; left here, it would be taken again and again
                self.remove(ticket)
                continue
            allowed = limit(ticket)
            if not batch:
                most = allowed
            elif ticket.tail != batch[0].tail or frames + ticket.frames > most:
                continue
            if allowed:
                batch.append(ticket)
                frames += ticket.frames
        return batch

    def _forget_absent_clients(self) -> None:
        """Beyond twice the capacity, forget the absent clients that came longest ago; each gains one turn at most."""
        if len(self._used) > 2 * self.capacity:
            absent = [client for client in self._used if client not in self._waiting]
            for client in absent[: len(self._used) - self.capacity]:
                del self._used[client]
