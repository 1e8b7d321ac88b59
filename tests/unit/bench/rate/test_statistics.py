"""Chance: the exact test, the resamples and the divergence against values that are known; and costs between two settings."""

import math

import numpy as np
import pytest

from bench.rate.statistics import Bootstrap, Cost, cost_at, mcnemar
from shared.tasks.classify import divergences


@pytest.mark.parametrize(
    ("lost", "won", "p"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (5, 5, 1.0),
        (5, 0, 2 * 0.5**5),
        (1, 5, 2 * (1 + 6) / 2**6),
        (2, 10, 2 * (1 + 12 + 66) / 2**12),
        (6, 16, 2 * (1 + 22 + 231 + 1540 + 7315 + 26334 + 74613) / 2**22),
    ],
)
def test_mcnemar(lost, won, p):
    assert mcnemar(lost, won) == mcnemar(won, lost) == pytest.approx(p)


def test_mcnemar_of_many_pictures_is_still_a_number():
    assert 0 < mcnemar(900, 1100) < 1e-4
    assert 0 < mcnemar(2000, 2001) <= 1


def test_the_interval_is_the_same_every_time_and_about_as_wide_as_theory_says():
    values = np.repeat([100.0, 0.0], [180, 20])
    found = Bootstrap(200).mean(values)
    assert found == Bootstrap(200).mean(values)
    assert found.median == 90
    half = 100 * 1.96 * math.sqrt(0.9 * 0.1 / 200)
    assert (found.low, found.high) == (pytest.approx(90 - half, abs=0.8), pytest.approx(90 + half, abs=0.8))


def test_the_interval_of_a_difference_is_that_of_pairs():
    rng = np.random.default_rng(1)
    one = rng.normal(size=100)
    assert Bootstrap(100).mean((one + 0.25) - one).low == pytest.approx(0.25)


def test_divergence_of_known_answers():
    logits = np.log(np.array([[0.5, 0.5], [0.9, 0.1]], np.float32))
    other = np.log(np.array([[0.25, 0.75], [0.9, 0.1]], np.float32)) + 3  # a constant changes nothing
    found = divergences(logits, other)
    assert found[0] == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 / 3), rel=1e-5)
    assert found[1] == pytest.approx(0, abs=1e-6)
    assert divergences(np.array([[0, 1000]], np.float32), np.array([[1000, 0]], np.float32)) == pytest.approx(
        1000
    )


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
