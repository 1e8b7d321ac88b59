"""The order of waiting frames: fair between clients, first come first served within one, and bounded."""

from __future__ import annotations

from collections import Counter

import pytest
from kits.fair_queue import drain, fill, state, ticket

from cloud.access.refusals import BusyError
from cloud.batching.fair_queue import FairQueue, Ticket

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


def test_turns_are_counted_in_frames() -> None:
    queue = FairQueue(64)
    fill(queue, "large", 3, frames=4)
    fill(queue, "small", 12)
    assert drain(queue, 4)[:5] == ["large", "small", "small", "small", "small"]
    queue = FairQueue(64)
    fill(queue, "large", 4, frames=4)
    fill(queue, "small", 16)
    served: Counter[str] = Counter()
    while len(queue):
        for each in queue.take(4):
            served[each.client] += each.frames
        assert abs(served["large"] - served["small"]) <= 4


def test_no_client_waits_behind_more_than_its_share_of_a_client_with_many() -> None:
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
def test_a_batch_lets_no_frame_overtake_those_that_were_to_be_in_it(most: int) -> None:
    queue = FairQueue(80)
    fill(queue, "greedy", 50)
    for client in range(15):
        fill(queue, client, 1)
    batches = -(-16 // most)
    served = [each.client for _ in range(batches) for each in queue.take(most)]
    assert set(range(15)) <= set(served)


def test_a_client_that_comes_back_is_not_owed_for_the_time_it_was_away() -> None:
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
    assert (queue.frames_of("x"), queue.frames_of("y"), queue.frames_of("z")) == (11, 1, 0)
    assert queue.take(4) == [made[0], made[3]]
    assert queue.take(4) == [made[1]]
    assert queue.take(2) == [made[2]]  # what is alone above the limit goes all the same
    assert queue.take(4) == [made[4]]
    assert queue.depth == queue.frames_of("x") == 0


def test_those_whose_caller_has_gone_are_dropped_and_not_taken() -> None:
    queue = FairQueue(8)
    made = fill(queue, "a", 3, frames=2)
    made[0].result.cancel()
    made[2].result.cancel()
    assert queue.take(8) == [made[1]]
    assert (len(queue), queue.depth) == (0, 0)
    (alone,) = fill(queue, "a", 1)
    alone.result.cancel()
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


def test_a_full_queue_refuses_the_client_with_most_in_it_and_is_unchanged() -> None:
    queue = FairQueue(6)
    fill(queue, "a", 3)
    fill(queue, "b", 3)
    before = state(queue)
    for client, frames in (("a", 1), ("b", 1), ("c", 3), ("c", 7)):
        with pytest.raises(BusyError, match=r"full \(6 of 6\)"):
            queue.put(ticket(client, frames))
        with pytest.raises(BusyError):
            queue.require_place(client, frames)
        assert state(queue) == before
    assert drain(queue) == list("ababab")


def test_the_newest_ticket_of_the_client_with_most_makes_room() -> None:
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
    a, b = fill(queue, "a", 5, frames=2), fill(queue, "b", 6)
    assert queue.put(ticket("c", 4)) == [a[-1], a[-2]]
    assert queue.depth == 16
    with pytest.raises(BusyError):
        queue.put(ticket("d", 5))  # a and b would have to go below what it would then have
    assert queue.put(ticket("d", 3)) == [a[-3], b[-1]] or queue.depth <= 16


def test_a_displaced_client_may_come_back_when_there_is_room() -> None:
    queue = FairQueue(4)
    made = fill(queue, "a", 4)
    (gone,) = queue.put(ticket("b"))
    assert gone is made[-1]
    with pytest.raises(BusyError):
        queue.put(ticket("a"))
    queue.take(1)
    assert queue.put(ticket("a")) == []


# --- in a pause of a long run -----------------------------------------------------------------------------------------


def test_in_a_pause_go_those_that_may_and_the_turns_of_the_rest_stay() -> None:
    queue = FairQueue(64)
    own, long = fill(queue, "a", 2), fill(queue, "b", 2, frames=5)
    short = fill(queue, "c", 3, frames=2)

    def limit(ticket: Ticket) -> int:
        return 4 if ticket.client == "c" else 0

    assert queue.take_some(limit) == short[:2]
    assert queue.take_some(lambda _ticket: 0) == []
    assert [queue.take(1) for _ in range(5)] == [[own[0]], [long[0]], [own[1]], [short[2]], [long[1]]]
    assert queue.depth == len(queue) == 0
