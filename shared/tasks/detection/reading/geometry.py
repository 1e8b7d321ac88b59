"""Boxes as networks write them, and as corners in pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

KINDS = ("xyxy", "cxcywh", "xywh", "yxyx")
"""Two corners; centre and size; first corner and size; two corners with y first."""
UNITS = ("pixels", "normalised")
"""Pixels of the network's input, or normalised to 0 … 1 along each of its sides."""
_FAR = 4.0
"""Corners are kept within so many times the input's sides, so that areas are finite."""


def corners_of(
    values: NDArray[np.floating], kind: str, units: str, size: tuple[int, int]
) -> NDArray[np.float64]:
    """(n, 4) of `kind` and `units` -> (n, 4) x0, y0, x1, y1 in pixels; `size` is the input's (height, width)."""
    first, second = values[:, :2].astype(np.float64), values[:, 2:4].astype(np.float64)
    if kind == "yxyx":
        first, second = first[:, ::-1], second[:, ::-1]
    elif kind == "cxcywh":
        first, second = first - second / 2, first + second / 2
    elif kind == "xywh":
        second = first + second
    sides = np.array([size[1], size[0]], np.float64)
    found = np.concatenate([first, second], axis=1)
    if units == "normalised":
        found *= np.tile(sides, 2)
    return bounded(found, size)


def bounded(corners: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """The same within a few times the input's `size` (height, width): an exponential may have made them infinite."""
    far = _FAR * np.array([size[1], size[0]] * 2, np.float64)
    return np.minimum(np.maximum(np.where(np.isnan(corners), 0.0, corners), -far), far)
