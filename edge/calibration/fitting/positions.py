"""How often symbols are not zero at each position, and whether that is worth knowing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PRIOR = 8.0
_LEAST_FRAMES = 12
_GAIN = 0.9
"""Knowing the position has to save a tenth of the bits, so that it is not chance."""


def densities(magnitudes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(rows, columns, channels): how often a symbol is not zero, drawn towards what is usual in its channel."""
    hits = (magnitudes > 0).sum(0)
    usual = hits.mean((0, 1)) / len(magnitudes)
    found: NDArray[np.float64] = (hits + _PRIOR * usual) / (len(magnitudes) + _PRIOR)
    return found


def goes_by_position(magnitudes: NDArray[np.uint8]) -> bool:
    """Whether the first half of the frames tells at which positions symbols of the second half are zero: the camera stands still.

    `magnitudes`: (frames, rows, columns, channels), in the order of time.
    """
    half = len(magnitudes) // 2
    if half < _LEAST_FRAMES or magnitudes.shape[1] * magnitudes.shape[2] == 1:
        return False
    earlier, later = magnitudes[:half], (magnitudes[half:] > 0).mean(0)
    known = densities(earlier)
    usual = np.broadcast_to(known.mean((0, 1)), known.shape)

    def bits(share: NDArray[np.float64]) -> float:
        p = np.clip(share, 1e-4, 1 - 1e-4)
        return float(-(later * np.log2(p) + (1 - later) * np.log2(1 - p)).sum())

    return bits(known) < _GAIN * bits(usual)
