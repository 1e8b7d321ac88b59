"""A tensor as rows, columns and channels: the layout in which positions have neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def grid_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(rows, columns, channels) of a tensor of this shape, without the batch dimension.

    (C, H, W) is a feature map; (C,) is one position; (T, C) holds the tokens of a transformer, one column each. In
    (H, W, D, C), Swin's layout, positions come first and the last two dimensions are the channels.
    """
    match shape:
        case (channels,):
            return 1, 1, channels
        case (tokens, channels):
            return 1, tokens, channels
        case (channels, rows, columns):
            return rows, columns, channels
        case (rows, columns, depth, channels):
            return rows, columns, depth * channels
        case _:
            raise ValueError(shape)


def to_grid(array: NDArray[Any]) -> NDArray[Any]:
    """A tensor as (rows, columns, channels), contiguous."""
    rows, columns, channels = grid_shape(array.shape)
    if array.ndim == 3:
        array = array.transpose(1, 2, 0)
    return np.ascontiguousarray(array.reshape(rows, columns, channels))


def from_grid(grid: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """The inverse of `to_grid`, contiguous."""
    if len(shape) == 3:
        grid = grid.transpose(2, 0, 1)
    return np.ascontiguousarray(grid).reshape(shape)
