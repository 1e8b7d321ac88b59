"""Who boards where: decided by the queue, what frames cost and how urgent those aboard are; no clock and no thread."""

from __future__ import annotations

import math
from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from kits.fair_queue import drain, fill, ticket

from cloud.batching.fair_queue import FairQueue, Ticket
from cloud.batching.journey import Journey
from cloud.batching.selection import Selection

POINTS = ("input", "layer1", "layer2", "layer3")


def selection(queue: FairQueue, most: int = 4, shared_run_s: float = 0.02) -> Selection:
    found = Selection(queue, most, shared_run_s)
    for place, point in enumerate(POINTS):
        found.costs.note(point, 1, 0.004 * (len(POINTS) - place))
    return found


def clients(boarding: tuple[list[Ticket], float]) -> list[object]:
    return [each.client for each in boarding[0]]


def test_those_of_the_split_point_board_in_their_turn_up_to_the_limit() -> None:
    queue = FairQueue(64)
    fill(queue, "a", 2, at="layer3")
    fill(queue, "b", 1, at="layer3")
    fill(queue, "c", 1, at="layer2")
    found = selection(queue).board("layer3", 2, math.inf, 0.0, shared=False)
    assert clients(found) == ["a", "b"], "one turn each before a second one of the same client"
    assert found[1] == 2 * 0.004
    assert drain(queue) == ["c", "a"]
    fill(queue, "a", 1, at="layer3")
    assert clients(selection(queue).board("layer3", 4, math.inf, 0.0, shared=False)) == [], "it is full"


def test_a_request_of_more_frames_than_there_is_room_for_stays() -> None:
    queue = FairQueue(64)
    fill(queue, "a", 1, frames=3, at="layer3")
    fill(queue, "b", 1, frames=1, at="layer3")
    assert clients(selection(queue).board("layer3", 2, math.inf, 0.0, shared=False)) == ["b"]


def test_while_several_clients_send_those_that_board_add_no_more_than_a_shared_run_takes() -> None:
    queue = FairQueue(64)
    fill(queue, "a", 8, at="layer2")
    chosen = selection(queue, most=8)
    first, added_s = chosen.board("layer2", 1, math.inf, 0.0, shared=True)
    assert len(first) == 2, "8 ms each"
    assert chosen.board("layer2", 3, math.inf, added_s, shared=True) == ([], 0.0)
    assert len(chosen.board("layer2", 3, math.inf, added_s, shared=False)[0]) == 5


def test_nobody_boards_that_would_make_somebody_aboard_late() -> None:
    queue = FairQueue(64)
    fill(queue, "a", 4, at="layer3")
    chosen = selection(queue, most=8)
    assert len(chosen.board("layer3", 2, 0.0141, 0.0, shared=False)[0]) == 1, "three frames of 4 ms"
    assert chosen.board("layer3", 2, 0.0, 0.0, shared=False)[0] == []


def test_one_that_has_gone_does_not_board() -> None:
    queue = FairQueue(64)
    gone, there = fill(queue, "a", 2, at="layer3")
    gone.result.cancel()
    assert selection(queue).board("layer3", 1, math.inf, 0.0, shared=False)[0] == [there]
    assert not queue


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 1 << 30), st.integers(1, 8), st.booleans())
def test_everybody_is_answered_once_wherever_it_boards(seed: int, most: int, shared: bool) -> None:
    """Runs over one chain until nobody waits, with new ones coming at every split point, some of whom go again."""
    random, queue, answered = Random(seed), FairQueue(64), Counter[Ticket]()
    chosen, made, gone = selection(queue, most), [], set()

    def come() -> None:
        for _ in range(random.randint(0, 3)):
            made.append(ticket(random.randrange(4), random.randint(1, min(3, most)), random.choice(POINTS)))
            assert queue.put(made[-1]) == []

    def go() -> None:
        if random.random() < 0.2 and made and made[-1] not in answered:
            made[-1].result.cancel()
            gone.add(made[-1])

    come()
    while len(queue):
        batch = queue.take(most)
        if not batch:
            continue
        journey, added_s, place = Journey(batch, 0.0), 0.0, POINTS.index(batch[0].tail)
        for point in POINTS[place + 1 :]:
            if len(made) < 40:
                come()
            waiting = [each for each in queue._tickets if each.tail == point and not each.result.done()]
            boarding, cost_s = chosen.board(point, journey.frames, math.inf, added_s, shared=shared)
            assert {each.tail for each in boarding} <= {point}
            assert [each for each in waiting if each in boarding] == boarding, "in their turn"
            journey.board(boarding, 0.0)
            added_s += cost_s
            assert journey.frames <= most
            assert not shared or added_s <= 0.02
            go()
        answered.update(each.ticket for each in journey.passages)
    assert set(answered) | gone == set(made)
    assert set(answered.values()) <= {1}
