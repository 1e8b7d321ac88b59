"""How far two pictures lie apart, and what is near enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_PERCENTILE = 5.0
"""In levels of 256, the 99th percentile of all values: rounding, and other ways to enlarge colours."""
MOST_MEAN = 2.0
MOST_TIME_S = 0.002


@dataclass(frozen=True, order=True)
class Distance:
    """In levels of 8 bits. 255 where the pictures have not the same size."""

    percentile: float = 0.0
    mean: float = 0.0

    @property
    def near(self) -> bool:
        return self.percentile <= MOST_PERCENTILE and self.mean <= MOST_MEAN

    def __str__(self) -> str:
        return f"{self.percentile:.0f}/{self.mean:.2f}"


def distance(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> Distance:
    if one.shape != other.shape:
        return Distance(255.0, 255.0)
    apart = np.abs(one.astype(np.int16) - other)
    return Distance(float(np.percentile(apart, 99)), float(apart.mean()))
