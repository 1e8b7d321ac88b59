"""Tickets for the cloud's queue, and what can be read of it."""

from __future__ import annotations

from collections.abc import Sized
from concurrent.futures import Future
from typing import Any

import numpy as np

from cloud.batching.fair_queue import FairQueue, Ticket


def ticket(client: Any, frames: int = 1, at: str = "a") -> Ticket:
    return Ticket(at, (np.zeros((frames, 1), np.float32),), client, 0.0, Future())  # type: ignore[arg-type]


def fill(queue: FairQueue, client: Any, tickets: int, frames: int = 1, at: str = "a") -> list[Ticket]:
    made = [ticket(client, frames, at) for _ in range(tickets)]
    for each in made:
        assert queue.put(each) == []
    return made


def drain(queue: FairQueue, most: int = 1) -> list[Any]:
    """The clients in the order in which they are served."""
    order = []
    while len(queue):
        order += [each.client for each in queue.take(most)]
    return order


def state(queue: FairQueue) -> Any:
    return list(queue._tickets), queue.depth, len(queue), [each.turn for each in queue._tickets]


def remembered(queue: FairQueue) -> int:
    """Entries in the largest collection that it holds."""
    return max(len(value) for value in vars(queue).values() if isinstance(value, Sized))
