"""What the queue remembers of clients: little, and no charge for frames that were not served."""

from __future__ import annotations

from collections import Counter
from typing import Any

from kits.fair_queue import fill, remembered, ticket

from cloud.batching.fair_queue import FairQueue


def test_clients_that_come_once_are_not_remembered_for_ever() -> None:
    """Whoever sends frames names its own session, so there is no end to clients; the queue need never be empty."""
    queue = FairQueue(4)
    fill(queue, "x", 1)
    for client in range(1000):
        queue.put(ticket(client))
        queue.take(1)
    assert remembered(queue) <= 64


def test_clients_that_go_before_their_turn_are_not_remembered_for_ever() -> None:
    queue = FairQueue(4)
    fill(queue, "x", 1)
    for client in range(1000):
        one = ticket(client)
        queue.put(one)
        queue.remove(one)
    assert remembered(queue) <= 64


def test_a_client_that_gives_up_before_its_turn_is_not_charged_for_it() -> None:
    """An edge whose frames come too late for their deadline would never be served again."""
    queue = FairQueue(64)
    fill(queue, "patient", 10)
    for _ in range(200):
        one = ticket("hasty")
        queue.put(one)
        queue.remove(one)
    queue.put(ticket("hasty"))
    served = []
    for _ in range(30):
        served += [each.client for each in queue.take(1)]
        fill(queue, "patient", 1)
    assert "hasty" in served


def test_a_displaced_client_is_not_charged_for_it() -> None:
    queue = FairQueue(16)
    fill(queue, "first", 16)
    for client in range(15):
        assert len(queue.put(ticket(client))) == 1
    served: Counter[Any] = Counter()
    for _ in range(160):
        (one,) = queue.take(1)
        served[one.client] += 1
        fill(queue, one.client, 1)
    assert max(served.values()) - min(served[client] for client in ("first", *range(15))) <= 2
