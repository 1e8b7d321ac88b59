"""A usual value that outliers do not move and a jump does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kits.planner import FUZZ

from shared.observing.counting.tracker import Tracker


def tracker_of(*values, quantile=0.5):
    tracker = Tracker(quantile)
    for value in values:
        tracker.add(value)
    return tracker


def test_before_the_first_value_there_is_none():
    tracker = Tracker()
    assert tracker.value is None
    assert tracker.or_else(7.0) == 7.0
    assert not tracker.is_far(1e9)


def test_the_first_value_counts_at_once():
    tracker = tracker_of(3.0)
    assert tracker.value == 3.0
    assert tracker.or_else(7.0) == 3.0


def test_a_zero_is_a_value():
    assert tracker_of(0.0).or_else(7.0) == 0.0


@pytest.mark.parametrize(("quantile", "expected"), [(0, 10), (0.25, 11), (0.5, 12), (0.6, 12.4), (1, 14)])
def test_it_is_the_quantile_that_was_asked_for(quantile, expected):
    tracker = tracker_of(14, 10, 12, 11, 13, quantile=quantile)
    assert tracker.value == pytest.approx(expected)


def test_old_values_are_forgotten():
    tracker = tracker_of(*[10.0] * 12, *[12.0] * 12)
    assert tracker.value == 12.0


@pytest.mark.parametrize("outlier", [0.0, 1e-9, 1e9])
def test_outliers_do_not_count_even_two_in_a_row(outlier):
    tracker = tracker_of(*[10.0] * 6)
    for _ in range(5):
        for value in (outlier, outlier, *[10.0] * 4):
            tracker.add(value)
            assert tracker.value == 10.0


@pytest.mark.parametrize("after", [1.0, 6.0, 16.0, 1000.0])
def test_three_in_a_row_are_a_jump(after):
    tracker = tracker_of(*[10.0] * 12)
    seen = []
    for _ in range(3):
        tracker.add(after)
        seen.append(tracker.value)
    assert seen == [10.0, 10.0, after]


def test_three_on_different_sides_are_none():
    tracker = tracker_of(*[10.0] * 9, 100.0, 1.0, 100.0)
    assert tracker.value == 10.0


def test_a_jump_and_back_again():
    tracker = tracker_of(*[20.0] * 12, *[2.0] * 3)
    assert tracker.value == 2.0
    for _ in range(3):
        tracker.add(20.0)
    assert tracker.value == 20.0


def test_a_jump_that_goes_on_is_followed():
    tracker = tracker_of(*[1.0] * 12)
    for step in range(1, 60):
        tracker.add(1.2**step)
    assert tracker.value >= 1.2**54, "three behind, and half a window of such a rise"


def test_a_reset_forgets():
    tracker = tracker_of(1.0, 2.0, 3.0)
    tracker.reset()
    assert tracker.value is None
    tracker.reset(50.0)
    assert tracker.value == 50.0
    tracker.add(60.0)
    assert tracker.value == 55.0


def test_what_is_far_would_be_a_jump():
    tracker = tracker_of(*[10.0] * 6)
    assert [tracker.is_far(value) for value in (6.6, 6.7, 10.0, 14.9, 15.1)] == [
        True,
        False,
        False,
        False,
        True,
    ]
    assert tracker.value == 10.0, "asking changes nothing"


def test_after_a_zero_anything_else_is_far():
    tracker = tracker_of(0.0)
    assert tracker.is_far(0.1)
    for _ in range(3):
        tracker.add(0.1)
    assert tracker.value == 0.1


_values = st.floats(0, 1e12)


@FUZZ
@given(st.lists(_values, min_size=1, max_size=40), st.floats(0, 1))
def test_the_value_lies_among_those_that_were_added(values, quantile):
    tracker = Tracker(quantile)
    added = []
    for number, value in enumerate(values):
        if number % 17 == 16:
            tracker.reset()
            added = []
        tracker.add(value)
        added.append(value)
        slack = 1e-9 * max(added)
        assert min(added) - slack <= tracker.value <= max(added) + slack


@FUZZ
@given(st.floats(1e-6, 1e9), st.lists(st.floats(0.82, 1.22), min_size=8, max_size=60))
def test_steady_noise_never_jumps(level, noise):
    """Any two values of it lie within the factor."""
    assert not _jumps(level, noise)


@pytest.mark.parametrize(("noise", "per_thousand"), [(0.25, 0), (0.3, 1), (0.4, 10)])
def test_wider_noise_seldom_does_and_then_to_a_value_within_it(noise, per_thousand):
    tracker, jumps = Tracker(), 0
    for number, value in enumerate(np.random.default_rng(1).uniform(1 - noise, 1 + noise, 5000).tolist()):
        tracker.add(value)
        jumps += len(tracker._values) == 3 and number > 2
        assert 1 - noise <= tracker.value <= 1 + noise
    assert jumps <= per_thousand * 5


def _jumps(level, noise):
    tracker = Tracker()
    for number, each in enumerate(noise):
        tracker.add(level * each)
        if len(tracker._values) != min(number + 1, 12):
            return True
    return False
