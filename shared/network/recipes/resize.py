"""From a picture of any size to the network's: one kernel for edge and cloud.

Pictures are resized at the edge or, if they travel in the camera's own size, in the cloud. Both use this module, so that the
network sees the same picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.network.recipes.resample import resample
from shared.network.recipes.weights import Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.network.recipe import Recipe

_BLACK = 0


def fit_picture(picture: NDArray[np.uint8], recipe: Recipe) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 -> (height, width, 3) uint8, possibly a view of `picture`; the order of the colours does not matter.

    Scales, and crops or pads, as the recipe says, on 8-bit values throughout.
    """
    place = recipe.placement(*picture.shape[:2])
    part = picture[place.top : place.top + place.height, place.left : place.left + place.width]
    above, before = max(0, -place.first_row), max(0, -place.first_column)
    rows = _span(place.height, place.rows, place.first_row, recipe.height)
    columns = _span(place.width, place.columns, place.first_column, recipe.width)
    if (place.rows, place.columns) == part.shape[:2]:
        window = part[rows.first : rows.first + rows.count, columns.first : columns.first + columns.count]
    else:
        window = resample(part, rows, columns, recipe.interpolation)
    if window.shape == recipe.picture_shape:
        return window
    padded = np.full(recipe.picture_shape, recipe.pad if recipe.fit == "letterbox" else _BLACK, np.uint8)
    padded[above : above + rows.count, before : before + columns.count] = window
    return padded


def _span(length: int, scaled: int, first: int, window: int) -> Span:
    """The pixels of the scaled picture that are within the window."""
    begin = max(0, first)
    return Span(length, scaled, begin, min(scaled, first + window) - begin)
