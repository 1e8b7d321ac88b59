"""What is read off between two settings, and what is not."""

import pytest

from bench.rate.statistics import Cost, cost_at


def test_half_way_is_the_geometric_mean():
    assert cost_at(95, [(1000, 90), (4000, 100)]) == Cost(pytest.approx(2000))
    assert cost_at(95, [(4000, 100), (1000, 90)]) == Cost(pytest.approx(2000))  # in any order


def test_a_setting_that_reaches_it_exactly():
    assert cost_at(95, [(1000, 90), (3000, 95), (4000, 100)]) == Cost(pytest.approx(3000))
    assert cost_at(95, [(3000, 95), (4000, 100)]) == Cost(3000)


def test_a_setting_that_is_worse_and_larger_is_left_out():
    line = [(1000, 90), (2000, 85), (4000, 100)]
    assert cost_at(95, line) == cost_at(95, [(1000, 90), (4000, 100)])
    assert cost_at(95, [*line, (5000, 94)]) == cost_at(95, line)


def test_nothing_is_guessed_beyond_what_was_measured():
    assert cost_at(95, [(1000, 90), (2000, 94.9)]) is None
    assert cost_at(95, []) is None
    assert str(cost_at(95, [(1000, 99), (2000, 100)])) == "≤ 1000"
    assert str(cost_at(95, [(1000, 90), (4000, 100)])) == "2000"
