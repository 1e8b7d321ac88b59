"""Anything may happen to the queue in any order, and clients are still served alike."""

from __future__ import annotations

from itertools import count
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from kits.fair_queue import remembered, state, ticket

from cloud.access.refusals import BusyError
from cloud.batching.fair_queue import FairQueue, Ticket


@st.composite
def backlogs(draw: st.DrawFn) -> tuple[int, list[int], int, int]:
    most = draw(st.sampled_from([1, 2, 4, 8]))
    waiting = draw(st.lists(st.integers(2 * most, 4 * most), min_size=2, max_size=5))
    return most, waiting, draw(st.sampled_from([1, most])), draw(st.integers(1, 3))


@settings(deadline=None, max_examples=60)
@given(backlogs(), st.integers(0, 1 << 30), st.booleans())
def test_clients_that_always_have_frames_waiting_are_served_alike(
    backlog: tuple[int, list[int], int, int], seed: int, gives_up: bool
) -> None:
    """Each client has at least two batches waiting, always. Served so far: alike but for a batch.

    Where requests are of several frames, what does not fit into a batch is overtaken: then alike but for a few batches,
    however long it goes on. Some requests may be given up, and are not counted.
    """
    most, waiting, largest, points = backlog
    random, queue = Random(seed), FairQueue(4096)
    backlogged: dict[int, list[Ticket]] = {client: [] for client in range(len(waiting))}
    served = dict.fromkeys(backlogged, 0)
    for _ in range(80):
        for client in random.sample(list(backlogged), len(backlogged)):
            mine = backlogged[client]
            if gives_up and mine and random.random() < 0.3:
                queue.remove(mine.pop(random.randrange(len(mine))))
            while len(mine) < waiting[client]:
                mine.append(ticket(client, random.randint(1, largest), f"p{client % points}"))
                assert queue.put(mine[-1]) == []
        for each in queue.take(most):
            backlogged[each.client].remove(each)
            served[each.client] += each.frames
        difference = max(served.values()) - min(served.values())
        assert difference <= (most if largest == 1 else 5 * most)


class Queueing(RuleBasedStateMachine):
    """Any calls in any order, checked against the plainest possible list of what waits."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = FairQueue(12)
        self.waiting: list[Ticket] = []  # in order of arrival
        self.left: list[Ticket] = []
        self.numbers = count()

    def frames_of(self, client: int) -> int:
        return sum(each.frames for each in self.waiting if each.client == client)

    def free(self) -> int:
        return self.queue.capacity - sum(each.frames for each in self.waiting)

    @rule(client=st.integers(0, 3), frames=st.integers(1, 5), at=st.sampled_from("xy"))
    def put(self, client: int, frames: int, at: str) -> None:
        one, before, missing = ticket(client, frames, at), state(self.queue), frames - self.free()
        wanted = self.frames_of(client) + frames
        excess = sum(
            max(0, self.frames_of(other) - wanted)
            for other in {each.client for each in self.waiting} - {client}
        )
        if missing > 0 and excess < missing:
            with pytest.raises(BusyError):
                self.queue.put(one)
            assert state(self.queue) == before
            return
        for gone in self.queue.put(one):
            assert self.free() < frames, "more than needed were displaced"
            assert gone.client != client
            assert self.frames_of(gone.client) > wanted, "displaced from who had no more"
            assert self.frames_of(gone.client) == max(self.frames_of(other) for other in range(4))
            assert gone is [each for each in self.waiting if each.client == gone.client][-1]
            self.waiting.remove(gone)
            self.left.append(gone)
        self.waiting.append(one)

    @precondition(lambda self: self.waiting)
    @rule(most=st.integers(1, 6))
    def take(self, most: int) -> None:
        alive = [each for each in self.waiting if not each.result.done()]
        first = self.queue.first()
        batch = self.queue.take(most)
        self.left += [each for each in self.waiting if each not in alive]
        assert bool(batch) == bool(alive)
        for each in batch:
            assert each in alive
            earlier = alive[: alive.index(each)]
            assert not [
                other
                for other in earlier
                if other not in batch
                and (other.client, other.tail) == (each.client, each.tail)
                and other.frames <= each.frames
            ], "overtaken by its own client's later one"
        if batch:
            if first in alive:
                assert batch[0] is first
            assert batch[0] is next(each for each in alive if each.client == batch[0].client)
            assert {each.tail for each in batch} == {batch[0].tail}
            assert len(batch) == 1 or sum(each.frames for each in batch) <= most
        self.waiting = [each for each in alive if each not in batch]
        self.left += batch

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.waiting))
        assert self.queue.remove(one)
        self.waiting.remove(one)
        self.left.append(one)

    @precondition(lambda self: self.left)
    @rule(data=st.data())
    def remove_again(self, data: st.DataObject) -> None:
        before = state(self.queue)
        assert not self.queue.remove(data.draw(st.sampled_from(self.left)))
        assert state(self.queue) == before

    @precondition(lambda self: self.callers_there())
    @rule(data=st.data())
    def caller_goes(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.callers_there())).result.cancel()

    def callers_there(self) -> list[Ticket]:
        return [each for each in self.waiting if not each.result.done()]

    @invariant()
    def counts(self) -> None:
        assert len(self.queue) == len(self.waiting)
        assert self.queue.depth == sum(each.frames for each in self.waiting) <= self.queue.capacity
        for at in "xy":
            expected = sum(each.frames for each in self.waiting if each.tail == at)
            assert self.queue.frames_of(at) == expected
        assert remembered(self.queue) <= 64


# Rules whose precondition does not hold count as filtered, and at the start only `put` can be called.
Queueing.TestCase.settings = settings(
    deadline=None,
    max_examples=150,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.filter_too_much],
)
TestQueueing = Queueing.TestCase
