"""Whether a difference between two settings is chance, and what each costs in bytes at equal agreement."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from bench.report.spread import Spread

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_RESAMPLES = 2000
_SEED = 0


def mcnemar(one_way: int, other_way: int) -> float:
    """The exact two-sided p value of McNemar's test: how likely counts so unequal are if both ways are as probable."""
    count, fewer = one_way + other_way, min(one_way, other_way)
    ways, at_most = 1, 0
    for hits in range(fewer + 1):
        at_most += ways
        ways = ways * (count - hits) // (hits + 1)  # math.comb(count, hits + 1)
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


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes per frame at some agreement."""

    frame_bytes: float
    at_most: bool = False
    """The cheapest setting agrees more than that: nothing cheaper was measured."""

    def __str__(self) -> str:
        return f"{'≤ ' if self.at_most else ''}{self.frame_bytes:.0f}"


def cost_at(agreement: float, line: Iterable[tuple[float, float]]) -> Cost | None:
    """The bytes at `agreement` on a line of (bytes per frame, agreement) points, linear in the logarithm of the bytes.

    A setting that costs more than another and agrees less is left out: it is never the choice. None if no setting agrees
    that much: nothing is extrapolated.
    """
    below: tuple[float, float] | None = None
    for size, found in sorted(line, key=lambda point: (point[0], -point[1])):
        if found >= agreement:
            if below is None:
                return Cost(size, at_most=found > agreement)
            share = (agreement - below[1]) / (found - below[1])
            return Cost(math.exp(math.log(below[0]) + share * (math.log(size) - math.log(below[0]))))
        if below is None or found > below[1]:
            below = (size, found)
    return None
