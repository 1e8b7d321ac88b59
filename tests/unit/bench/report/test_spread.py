import math

import pytest

from bench.report.spread import Spread, over_frames, over_rounds, percentile, ratio_of_rounds, short


def test_rounds_stand_between_their_smallest_and_largest():
    assert over_rounds([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0, 3)


def test_frames_stand_between_their_quartiles():
    assert over_frames([float(value) for value in range(101)]) == Spread(50.0, 25.0, 75.0, 101)


def test_a_ratio_is_taken_round_by_round():
    """The machine was half as fast in the second round; that is no difference between the two."""
    assert ratio_of_rounds([20.0, 10.0, 21.0], [10.0, 5.0, 10.0]) == Spread(2.0, 2.0, 2.1, 3)


def test_rounds_without_a_partner_are_a_mistake():
    with pytest.raises(ValueError, match="zip"):
        ratio_of_rounds([1.0, 2.0], [1.0])


@pytest.mark.parametrize(("percent", "value"), [(0, 1.0), (50, 2.5), (100, 4.0), (99, 3.97)])
def test_percentiles_are_interpolated(percent, value):
    assert percentile([4.0, 1.0, 3.0, 2.0], percent) == pytest.approx(value)


def test_one_value_is_every_percentile_and_none_is_none():
    assert percentile([7.0], 99) == 7.0
    assert math.isnan(percentile([], 50))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (518_912.4, "518912"),
        (123.4, "123"),
        (12.34, "12.3"),
        (1.234, "1.23"),
        (0.1234, "0.123"),
        (math.nan, "-"),
    ],
)
def test_three_digits_are_shown(number, text):
    assert short(number) == text


def test_a_single_value_has_no_bounds():
    assert str(over_rounds([2.0])) == "2.00"
    assert str(over_rounds([2.0, 3.0, 30.0])) == "3.00 (2.00–30.0)"
