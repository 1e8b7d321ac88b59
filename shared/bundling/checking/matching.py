"""Rows that two frameworks give in another order, as boxes of one score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.bundling.graph.filling import NOTHING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shared.engines.half import Tensors

_MAX_ROWS = 2000
"""One picture's, of which every two are compared."""


def in_order_of(got: Tensors, want: Tensors, axes: Mapping[int, int]) -> Tensors:
    """`got` with rows in the order of those of `want` that are most like them.

    Rows lie along the dimension `axes` of the outputs of these numbers, and the same row of all of them moves together. Where a
    picture has more than 2000, nothing moves.
    """
    moved = [each.copy() for each in got]
    for picture in range(len(got[0])):
        mine, right = (_rows([each[picture] for each in side], axes) for side in (got, want))
        if mine.shape != right.shape:
            return got
        order = _order(mine, right)
        for number, axis in axes.items():
            moved[number][picture] = np.take(got[number][picture], order, axis=axis - 1)
    return tuple(moved)


def _rows(outputs: list[NDArray[np.float32]], axes: Mapping[int, int]) -> NDArray[np.float32]:
    """(rows, values): of one picture's outputs, those that are filled up, side by side."""
    sides = [np.moveaxis(outputs[number], axis - 1, 0) for number, axis in axes.items()]
    return np.concatenate([side.reshape(len(side), -1) for side in sides], axis=1)


def _order(mine: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.intp]:
    """For each row of `right`, the number of the nearest row of `mine` that no row before has taken."""
    order = np.arange(len(mine))
    count = int(np.any((mine != NOTHING) | (right != NOTHING), axis=1).sum())
    if count > _MAX_ROWS:
        return order
    scale = np.maximum(np.abs(right[:count]).max(axis=0, initial=0), 1e-12)
    free = np.ones(count, bool)
    for number in range(count):
        distances = np.abs((mine[:count] - right[number]) / scale).max(axis=1)
        order[number] = np.argmin(np.where(free, distances, np.inf))
        free[order[number]] = False
    return order
