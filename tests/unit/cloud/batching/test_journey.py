"""Who is aboard a run, and what each has used of it."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kits.fair_queue import ticket

from cloud.batching.journey import Journey


def test_a_late_one_pays_for_its_share_of_what_it_used() -> None:
    early, late = ticket("a", 1, "input"), ticket("b", 3, "layer3")
    journey = Journey([early], 10.0)
    journey.spend(16.0)
    journey.rest(17.0)
    journey.board([late], 17.0)
    journey.spend(21.0)
    first, second = journey.passages
    assert (first.used_s, first.aboard_s, first.away_s) == (6 + 1, 10, 1)
    assert (second.used_s, second.aboard_s, second.away_s) == (3, 4, 0)
    assert list(journey.by_tail()) == [("input", 1, 7.0), ("layer3", 3, 3.0)]
    assert [(each.ticket, start, stop) for each, start, stop in journey.rows()] == [
        (early, 0, 1),
        (late, 1, 4),
    ]
    assert journey.clients == {"a", "b"}


def test_it_is_as_urgent_as_the_most_urgent_aboard() -> None:
    tickets = [ticket("a"), ticket("a")]
    tickets[1].until = 3.0
    journey = Journey(tickets[:1], 0.0)
    assert journey.until == float("inf")
    journey.board(tickets[1:], 1.0)
    assert journey.until == 3.0


@settings(deadline=None)
@given(st.integers(0, 1 << 30))
def test_all_time_is_paid_for_once_and_every_row_is_somebodys(seed: int) -> None:
    random = Random(seed)
    journey, now, worked = Journey([ticket("a", random.randint(1, 3))], 0.0), 0.0, 0.0
    for _ in range(random.randint(0, 6)):
        step = random.random()
        now, worked = now + step, worked + step
        journey.spend(now)
        now += random.random()
        journey.rest(now)
        journey.board([ticket("b", random.randint(1, 3)) for _ in range(random.randint(0, 2))], now)
    journey.spend(now + 1.0)
    assert sum(each.used_s for each in journey.passages) == pytest.approx(worked + 1.0)
    rows = [(start, stop) for _, start, stop in journey.rows()]
    assert rows[0][0] == 0
    assert rows[-1][1] == journey.frames
    assert all(one[1] == other[0] for one, other in pairwise(rows))
