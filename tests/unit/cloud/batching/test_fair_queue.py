"""The order of those who wait: fair between clients, first come first served within one, and bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sized
from concurrent.futures import Future
from itertools import count
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cloud.batching.fair_queue import FairQueue, Ticket
from shared.errors import BusyError


def ticket(client: Any, tensors: int = 1, at: str = "a") -> Ticket:
    return Ticket(at, np.zeros((tensors, 1), np.float32), client, 0.0, Future())  # type: ignore[arg-type]


def fill(queue: FairQueue, client: Any, tickets: int, tensors: int = 1, at: str = "a") -> list[Ticket]:
    made = [ticket(client, tensors, at) for _ in range(tickets)]
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
    """Entries in the largest thing that it holds."""
    return max(len(value) for value in vars(queue).values() if isinstance(value, Sized))


# --- order ------------------------------------------------------------------------------------------------------------


def test_one_client_is_served_in_order_of_arrival() -> None:
    queue = FairQueue(8)
    made = fill(queue, "a", 5)
    assert queue.first() is made[0]
    assert [each for _ in range(5) for each in queue.take(1)] == made
    assert (len(queue), queue.depth) == (0, 0)


def test_clients_that_come_at_once_take_turns() -> None:
    queue = FairQueue(64)
    for client in "abc":
        fill(queue, client, 3)
    assert drain(queue) == list("abcabcabc")


def test_turns_are_counted_in_tensors() -> None:
    queue = FairQueue(64)
    fill(queue, "large", 3, tensors=4)
    fill(queue, "small", 12)
    assert drain(queue, 4)[:5] == ["large", "small", "small", "small", "small"]
    queue = FairQueue(64)
    fill(queue, "large", 4, tensors=4)
    fill(queue, "small", 16)
    served: Counter[str] = Counter()
    while len(queue):
        for each in queue.take(4):
            served[each.client] += len(each.tensors)
        assert abs(served["large"] - served["small"]) <= 4


def test_nobody_waits_behind_more_than_its_share_of_who_has_many() -> None:
    queue = FairQueue(80)
    fill(queue, "greedy", 50)
    assert [each.client for each in queue.take(1)] == ["greedy"]
    for client in range(15):
        fill(queue, client, 1)
    order = drain(queue)
    assert set(order[:16]) == {"greedy", *range(15)}
    assert [client for client in order if client != "greedy"] == list(range(15))
    assert order[16:] == ["greedy"] * 48


@pytest.mark.parametrize("most", [2, 4, 8])
def test_a_batch_brings_nobody_to_the_front_of_those_who_were_to_be_in_it(most: int) -> None:
    queue = FairQueue(80)
    fill(queue, "greedy", 50)
    for client in range(15):
        fill(queue, client, 1)
    batches = -(-16 // most)
    served = [each.client for _ in range(batches) for each in queue.take(most)]
    assert set(range(15)) <= set(served)


def test_who_comes_back_is_not_owed_for_the_time_it_was_away() -> None:
    queue = FairQueue(80)
    fill(queue, "back", 1)
    fill(queue, "staying", 40)
    for _ in range(21):
        queue.take(1)
    fill(queue, "back", 20)
    order = drain(queue)
    assert all(abs(order[:end].count("back") - end / 2) <= 1 for end in range(len(order[:40])))


def test_a_batch_is_of_one_split_point_and_leaves_what_does_not_fit() -> None:
    queue = FairQueue(64)
    made = [
        ticket("a", 2, "x"),
        ticket("b", 1, "y"),
        ticket("c", 3, "x"),
        ticket("d", 2, "x"),
        ticket("e", 4, "x"),
    ]
    for each in made:
        queue.put(each)
    assert (queue.of_split_point("x"), queue.of_split_point("y"), queue.of_split_point("z")) == (11, 1, 0)
    assert queue.take(4) == [made[0], made[3]]
    assert queue.take(4) == [made[1]]
    assert queue.take(2) == [made[2]]  # what is alone above the limit goes all the same
    assert queue.take(4) == [made[4]]
    assert queue.depth == queue.of_split_point("x") == 0


def test_those_whose_caller_has_gone_are_dropped_and_not_taken() -> None:
    queue = FairQueue(8)
    made = fill(queue, "a", 3, tensors=2)
    made[0].answer.cancel()
    made[2].answer.cancel()
    assert queue.take(8) == [made[1]]
    assert (len(queue), queue.depth) == (0, 0)
    (alone,) = fill(queue, "a", 1)
    alone.answer.cancel()
    assert queue.take(8) == []
    assert (len(queue), queue.depth) == (0, 0)


def test_removing_twice_is_harmless() -> None:
    queue = FairQueue(8)
    first, second = fill(queue, "a", 2)
    assert queue.remove(first)
    after = state(queue)
    assert not queue.remove(first)
    assert not queue.remove(ticket("a"))
    assert state(queue) == after
    assert queue.take(8) == [second]
    assert not queue.remove(second)
    assert queue.depth == 0


# --- room -------------------------------------------------------------------------------------------------------------


def test_a_full_queue_refuses_who_has_most_in_it_and_is_as_it_was() -> None:
    queue = FairQueue(6)
    fill(queue, "a", 3)
    fill(queue, "b", 3)
    before = state(queue)
    for client, tensors in (("a", 1), ("b", 1), ("c", 3), ("c", 7)):
        with pytest.raises(BusyError, match=r"full \(6 of 6\)"):
            queue.put(ticket(client, tensors))
        with pytest.raises(BusyError):
            queue.require_place(client, tensors)
        assert state(queue) == before
    assert drain(queue) == list("ababab")


def test_the_newest_of_who_has_most_makes_room() -> None:
    queue = FairQueue(8)
    fill(queue, "few", 2)
    many = fill(queue, "many", 6)
    newcomer = ticket("new")
    queue.require_place("new", 1)
    assert queue.put(newcomer) == [many[-1]]
    assert queue.put(ticket("new", 1)) == [many[-2]]
    assert queue.put(ticket("few", 1)) == [many[-3]]
    assert (queue.depth, len(queue)) == (8, 8)
    for client in ("few", "many", "new"):  # 3, 3 and 2: nobody has more than another one would then have
        with pytest.raises(BusyError):
            queue.put(ticket(client, 2))
    assert Counter(drain(queue)) == {"few": 3, "many": 3, "new": 2}


def test_several_make_room_for_a_large_one_and_no_more_than_are_needed() -> None:
    queue = FairQueue(16)
    a, b = fill(queue, "a", 5, tensors=2), fill(queue, "b", 6)
    assert queue.put(ticket("c", 4)) == [a[-1], a[-2]]
    assert queue.depth == 16
    with pytest.raises(BusyError):
        queue.put(ticket("d", 5))  # a and b would have to go below what it would then have
    assert queue.put(ticket("d", 3)) == [a[-3], b[-1]] or queue.depth <= 16


def test_who_was_displaced_may_come_back_when_there_is_room() -> None:
    queue = FairQueue(4)
    made = fill(queue, "a", 4)
    (gone,) = queue.put(ticket("b"))
    assert gone is made[-1]
    with pytest.raises(BusyError):
        queue.put(ticket("a"))
    queue.take(1)
    assert queue.put(ticket("a")) == []


# --- what is remembered -----------------------------------------------------------------------------------------------


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


def test_who_gives_up_before_its_turn_is_not_charged_for_it() -> None:
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


def test_who_is_displaced_is_not_charged_for_it() -> None:
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


# --- models -----------------------------------------------------------------------------------------------------------


@st.composite
def backlogs(draw: st.DrawFn) -> tuple[int, list[int], int, int]:
    most = draw(st.sampled_from([1, 2, 4, 8]))
    waiting = draw(st.lists(st.integers(2 * most, 4 * most), min_size=2, max_size=5))
    return most, waiting, draw(st.sampled_from([1, most])), draw(st.integers(1, 3))


@settings(deadline=None, max_examples=60)
@given(backlogs(), st.integers(0, 1 << 30), st.booleans())
def test_those_who_always_wait_are_served_alike(
    backlog: tuple[int, list[int], int, int], seed: int, gives_up: bool
) -> None:
    """Each client has at least two batches waiting, always. Served so far: alike but for a batch.

    Where requests are of several tensors, what does not fit into a batch is overtaken: then alike but for a few batches,
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
            served[each.client] += len(each.tensors)
        difference = max(served.values()) - min(served.values())
        assert difference <= (most if largest == 1 else 5 * most)


class Queueing(RuleBasedStateMachine):
    """Anything in any order, beside the plainest possible book of who waits."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = FairQueue(12)
        self.waiting: list[Ticket] = []  # in order of arrival
        self.left: list[Ticket] = []
        self.numbers = count()

    def tensors_of(self, client: int) -> int:
        return sum(len(each.tensors) for each in self.waiting if each.client == client)

    def free(self) -> int:
        return self.queue.capacity - sum(len(each.tensors) for each in self.waiting)

    @rule(client=st.integers(0, 3), tensors=st.integers(1, 5), at=st.sampled_from("xy"))
    def put(self, client: int, tensors: int, at: str) -> None:
        one, before, missing = ticket(client, tensors, at), state(self.queue), tensors - self.free()
        wanted = self.tensors_of(client) + tensors
        excess = sum(
            max(0, self.tensors_of(other) - wanted)
            for other in {each.client for each in self.waiting} - {client}
        )
        if missing > 0 and excess < missing:
            with pytest.raises(BusyError):
                self.queue.put(one)
            assert state(self.queue) == before
            return
        for gone in self.queue.put(one):
            assert self.free() < tensors, "more than needed were displaced"
            assert gone.client != client
            assert self.tensors_of(gone.client) > wanted, "displaced from who had no more"
            assert self.tensors_of(gone.client) == max(self.tensors_of(other) for other in range(4))
            assert gone is [each for each in self.waiting if each.client == gone.client][-1]
            self.waiting.remove(gone)
            self.left.append(gone)
        self.waiting.append(one)

    @precondition(lambda self: self.waiting)
    @rule(most=st.integers(1, 6))
    def take(self, most: int) -> None:
        alive = [each for each in self.waiting if not each.answer.done()]
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
                and (other.client, other.split_point) == (each.client, each.split_point)
                and len(other.tensors) <= len(each.tensors)
            ], "overtaken by its own client's later one"
        if batch:
            if first in alive:
                assert batch[0] is first
            assert batch[0] is next(each for each in alive if each.client == batch[0].client)
            assert {each.split_point for each in batch} == {batch[0].split_point}
            assert len(batch) == 1 or sum(len(each.tensors) for each in batch) <= most
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

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def caller_goes(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.waiting))
        assume(not one.answer.done())
        one.answer.cancel()

    @invariant()
    def counts(self) -> None:
        assert len(self.queue) == len(self.waiting)
        assert self.queue.depth == sum(len(each.tensors) for each in self.waiting) <= self.queue.capacity
        for at in "xy":
            expected = sum(len(each.tensors) for each in self.waiting if each.split_point == at)
            assert self.queue.of_split_point(at) == expected
        assert remembered(self.queue) <= 64


Queueing.TestCase.settings = settings(deadline=None, max_examples=150, stateful_step_count=40)
TestQueueing = Queueing.TestCase
