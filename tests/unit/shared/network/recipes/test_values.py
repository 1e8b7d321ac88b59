"""A recipe's values are refused by name, whatever JSON can say."""

from __future__ import annotations

import math

import pytest
from kits.naming import naming

from shared.network.recipes.values import check_number, check_triple


def test_numbers_that_a_recipe_cannot_use_are_refused_in_a_short_line() -> None:
    for value in (math.nan, math.inf, -math.inf, 10**400, -(10**400), int("9" * 4000)):
        with naming(value), pytest.raises(ValueError, match=r"mean .*; accepted: a finite number") as caught:
            check_number("mean", value)
        assert len(str(caught.value)) < 100
    for other in (True, "1", None, [1.0]):
        with naming(other), pytest.raises(TypeError, match="accepted: a number"):
            check_number("mean", other)


def test_whole_numbers_are_numbers() -> None:
    assert check_triple("mean", [0, 255, 0.5]) == (0.0, 255.0, 0.5)
