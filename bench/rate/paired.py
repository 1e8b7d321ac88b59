"""What two ways of answering the same pictures differ by, and how much of that is chance."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from bench.report.spread import Spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RESAMPLES = 2000
_SEED = 0


def mcnemar(one_way: int, other_way: int) -> float:
    """The exact two-sided p value of McNemar's test: how likely counts so unequal are if both ways are as probable."""
    count, fewer = one_way + other_way, min(one_way, other_way)
    at_most = sum(math.comb(count, hits) for hits in range(fewer + 1))
    return min(1.0, float(Fraction(2 * at_most, 1 << count)))


class Bootstrap:
    """Resamples pictures, the same ones for every figure, so that figures of one run can be compared."""

    def __init__(self, count: int) -> None:
        """`count` is how many pictures there are."""
        rng = np.random.default_rng(_SEED)
        self._drawn = rng.integers(0, count, (_RESAMPLES, count))

    def mean(self, values: NDArray[np.float64]) -> Spread:
        """The mean over the pictures, and its 95 % interval (the percentiles of the resampled means)."""
        low, high = np.percentile(values[self._drawn].mean(1), (2.5, 97.5))
        return Spread(float(values.mean()), float(low), float(high), len(values))
