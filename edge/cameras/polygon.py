"""Which pixels a polygon touches, without exception: OpenCV's own shapes round their corners, and miss pixels at slanting sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def touched(fractions: Sequence[float], height: int, width: int) -> NDArray[np.bool_]:
    """(height, width): True for every pixel of which the polygon x, y, x, y, … (fractions) covers some, or only touches the edge.

    Where its sides cross each other, all that they go around is covered.
    """
    corners = np.array(fractions, np.float64).reshape(-1, 2) * (width, height)
    # What changes from each pixel to the next on its right: how often a side passes there, how often sides have gone around it.
    # Corners are 256 at most.
    passed, around = (np.zeros((height, width + 1), np.int16) for _ in range(2))
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        _pass(passed, start, end)
        _go_around(around, start, end)
    result: NDArray[np.bool_] = passed.cumsum(axis=1, dtype=np.int16) > 0
    result |= around.cumsum(axis=1, dtype=np.int16) != 0
    return result[:, :width]


def _pass(changes: NDArray[np.int16], start: NDArray[np.float64], end: NDArray[np.float64]) -> None:
    """Mark the pixels that the side from `start` to `end` passes, row by row."""
    height, width = changes.shape[0], changes.shape[1] - 1
    (_, top), (_, bottom) = sorted((start, end), key=lambda corner: float(corner[1]))
    rows = np.arange(min(int(top), height - 1), min(int(bottom), height - 1) + 1)
    if top == bottom:
        ends = np.array([start[:1], end[:1]]).repeat(len(rows), axis=1)
    else:
        between = np.stack((np.maximum(rows, top), np.minimum(rows + 1, bottom)))
        ends = _across(start, end, between)
    first, last = (
        np.clip(np.floor(each).astype(np.int64), 0, width - 1)
        for each in (ends.min(axis=0), ends.max(axis=0))
    )
    np.add.at(changes, (rows, first), 1)
    np.add.at(changes, (rows, last + 1), -1)


def _go_around(changes: NDArray[np.int16], start: NDArray[np.float64], end: NDArray[np.float64]) -> None:
    """Count the side for the pixels whose centres lie to the right of it."""
    height, width = changes.shape[0], changes.shape[1] - 1
    middles = np.arange(height, dtype=np.float64) + 0.5
    rows = np.flatnonzero((middles < start[1]) != (middles < end[1]))
    at = _across(start, end, middles[rows])
    columns = np.clip(np.ceil(at - 0.5).astype(np.int64), 0, width)
    np.add.at(changes, (rows, columns), 1 if end[1] > start[1] else -1)


def _across(
    start: NDArray[np.float64], end: NDArray[np.float64], down: NDArray[np.float64]
) -> NDArray[np.float64]:
    """x of the side's points at these y. Its corners are met exactly."""
    share = (down - start[1]) / (end[1] - start[1])
    x: NDArray[np.float64] = start[0] * (1 - share) + end[0] * share
    return x
