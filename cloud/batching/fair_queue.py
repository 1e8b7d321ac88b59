"""Tensors that wait for their tail: bounded, in order of arrival, and fair between clients.

Sans-I/O. Order is by start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996) in units of tensors: who has one request
waiting goes before the rest of who has many. Where the queue is full, the newest request of the client with the most
tensors in it makes room for a client with fewer.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared.errors import BusyError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Hashable

    import numpy as np
    from numpy.typing import NDArray


@dataclass(eq=False, slots=True)
class Ticket:
    """One caller's tensors (n, *shape), and the future of their answer."""

    split_point: str
    tensors: NDArray[np.float32]
    client: Hashable
    arrived: float  # on the loop's clock
    answer: asyncio.Future[Any]
    turn: tuple[int, int] = field(default=(0, 0), init=False)
    """Where it stands: its client's share used so far, then the order of arrival."""


class FairQueue:
    """At most `capacity` tensors."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.depth = 0
        """Tensors waiting."""
        self._tickets: list[Ticket] = []  # by turn
        self._waiting: Counter[Hashable] = Counter()  # tensors of each client
        self._used: dict[Hashable, int] = {}  # where each client's next turn starts
        self._now = 0  # the turn that was served last
        self._arrivals = 0

    def __len__(self) -> int:
        return len(self._tickets)

    def require_place(self, client: Hashable, tensors: int) -> None:
        """Raise BusyError if there is no place for so many of this client's tensors, nor would any be made."""
        missing = self.depth + tensors - self.capacity
        if missing <= 0:
            return
        wanted = self._waiting[client] + tensors
        # Whoever would then have more than this client gives way to it.
        available = sum(max(0, each - wanted) for other, each in self._waiting.items() if other != client)
        if available < missing:
            raise BusyError(f"the queue is full ({self.depth} of {self.capacity}); try again in a second")

    def put(self, ticket: Ticket) -> list[Ticket]:
        """Add a ticket; returns those that made room for it and wait no more. Raises BusyError."""
        self.require_place(ticket.client, len(ticket.tensors))
        displaced = []
        while self.depth + len(ticket.tensors) > self.capacity:
            greediest = max(self._waiting, key=lambda client: self._waiting[client])
            newest = next(each for each in reversed(self._tickets) if each.client == greediest)
            self.remove(newest)
            displaced.append(newest)
        start = max(self._now, self._used.pop(ticket.client, 0))
        self._used[ticket.client] = start + len(ticket.tensors)
        self._arrivals += 1
        ticket.turn = (start, self._arrivals)
        insort(self._tickets, ticket, key=lambda each: each.turn)
        self._waiting[ticket.client] += len(ticket.tensors)
        self.depth += len(ticket.tensors)
        self._forget_those_who_left()
        return displaced

    def remove(self, ticket: Ticket) -> bool:
        """Take one ticket out that will not be served; whether it was still there."""
        if ticket not in self._tickets:
            return False
        for later in self._tickets:  # its turn is not charged to its client, whose next ones move up
            if later.client == ticket.client and later.turn > ticket.turn:
                later.turn = (later.turn[0] - len(ticket.tensors), later.turn[1])
        self._used[ticket.client] -= len(ticket.tensors)
        self._tickets.sort(key=lambda each: each.turn)
        self._drop(ticket)
        return True

    def _drop(self, ticket: Ticket) -> None:
        self._tickets.remove(ticket)
        self.depth -= len(ticket.tensors)
        self._waiting[ticket.client] -= len(ticket.tensors)
        if not self._waiting[ticket.client]:
            del self._waiting[ticket.client]
        if not self._tickets:  # nobody is owed anything, and clients that never come back are forgotten
            self._used.clear()
            self._now = 0

    def first(self) -> Ticket:
        """Whose turn it is. The queue must not be empty."""
        return self._tickets[0]

    def of_split_point(self, name: str) -> int:
        """Tensors that wait for one tail."""
        return sum(len(ticket.tensors) for ticket in self._tickets if ticket.split_point == name)

    def take(self, most: int) -> list[Ticket]:
        """The ticket whose turn it is, and those of its split point that fit beside it into `most` tensors."""
        batch: list[Ticket] = []
        rows = 0
        for ticket in list(self._tickets):
            if ticket.answer.done():  # its caller is leaving; left here, it would be taken again and again
                self.remove(ticket)
                continue
            if batch and (ticket.split_point != batch[0].split_point or rows + len(ticket.tensors) > most):
                continue
            batch.append(ticket)
            rows += len(ticket.tensors)
        for ticket in batch:
            self._now = batch[0].turn[0]
            self._drop(ticket)
        return batch

    def _forget_those_who_left(self) -> None:
        """Of more than are worth remembering, those who came longest ago; what they may gain is one turn."""
        if len(self._used) > 2 * self.capacity:
            gone = [client for client in self._used if client not in self._waiting]
            for client in gone[: len(self._used) - self.capacity]:
                del self._used[client]
