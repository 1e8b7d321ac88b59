"""A sliding hour: what is left of it, and how fast that may be spent."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kits.planner import FUZZ

from edge.planning.budget.hour import HOUR_S, Hour

MOST = 3.6e6
STEADY = MOST / HOUR_S


def test_what_was_spent_is_free_again_after_an_hour():
    hour = Hour(MOST)
    hour.add(100.0, 1e6)
    hour.look(100.0 + HOUR_S)
    assert hour.spent == 1e6
    hour.look(100.0 + HOUR_S + 15)
    assert hour.spent == 0


def test_it_may_all_go_on_at_the_same_pace():
    hour, slow = Hour(MOST), 0.99 * STEADY
    for second in range(10_000):
        assert hour.pace(second) == pytest.approx(STEADY, rel=0.02)
        assert hour.pace(second) >= slow
        hour.add(second, slow)
        assert hour.spent <= MOST


def test_who_has_spent_all_at_once_has_to_wait():
    hour = Hour(MOST)
    hour.add(0.0, MOST)
    assert hour.pace(600.0) == 0
    assert hour.free_at(600.0, 1.0) == pytest.approx(HOUR_S + 15 - 600)
    assert hour.free_at(600.0, 2 * MOST) == math.inf
    assert hour.pace(HOUR_S + 16) == pytest.approx(STEADY, rel=0.01)


def test_what_is_under_way_counts():
    hour = Hour(MOST)
    hour.add(0.0, MOST / 2)
    assert hour.pace(0.0, held=MOST / 2) == 0
    assert 0 < hour.pace(0.0, held=MOST / 4) < hour.pace(0.0)


def test_it_remembers_a_bounded_number_of_slices():
    hour = Hour(MOST)
    for second in range(0, 20_000, 3):
        hour.add(second, 1.0)
    assert len(hour._slices) <= 242


@FUZZ
@given(
    st.lists(st.tuples(st.floats(0, 900), st.floats(0, 2e6)), max_size=12),
    st.floats(0, 5000),
)
def test_whoever_keeps_to_the_pace_never_exceeds_an_hour(spent, wait_s):
    hour, now_s = Hour(MOST), 0.0
    for later_s, size in spent:
        now_s += later_s
        hour.look(now_s)
        hour.add(now_s, min(size, max(0.0, MOST - hour.spent)))
    now_s += wait_s
    for _ in range(300):
        now_s += 15.0
        hour.add(now_s, 15.0 * hour.pace(now_s))
        assert hour.spent <= MOST * (1 + 15 / HOUR_S), "these are whole steps, ahead of their time"
