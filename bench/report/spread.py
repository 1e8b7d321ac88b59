"""A figure and how far it varies: no number of this report stands alone."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Spread:
    """A median between two bounds; which bounds these are, the table's header says."""

    median: float
    low: float
    high: float
    count: int
    """Values it was made of."""

    def __str__(self) -> str:
        if self.count == 1:
            return short(self.median)
        return f"{short(self.median)} ({short(self.low)}–{short(self.high)})"


def over_rounds(values: Sequence[float]) -> Spread:
    """Median, smallest and largest: for rounds, which are few."""
    return Spread(statistics.median(values), min(values), max(values), len(values))


def over_frames(values: Sequence[float]) -> Spread:
    """Median and quartiles: for frames, which are many and of which one is always slow."""
    return Spread(statistics.median(values), percentile(values, 25), percentile(values, 75), len(values))


def ratio_of_rounds(over: Sequence[float], under: Sequence[float]) -> Spread:
    """`over` / `under` round by round: what slows a whole machine for a while slows both of a round. Infinite over nothing, as of a few ticks of a clock."""
    return over_rounds(
        [above / below if below else math.inf for above, below in zip(over, under, strict=True)]
    )


def several(count: int, what: str) -> str:
    """`1 round`, `3 rounds`: for a table's note."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of the values do not exceed, interpolated between its two neighbours."""
    if not values:
        return math.nan
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def short(number: float) -> str:
    """Three significant digits, never an exponent; whole numbers from a hundred on."""
    if not math.isfinite(number):
        return "-"
    size = abs(number)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{number:.{digits}f}"
