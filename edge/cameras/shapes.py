"""Rectangles and polygons in a camera's picture, as a cameras file writes them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias

from pydantic import AfterValidator, BeforeValidator

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_CORNERS = 256
_TWO, _FOUR = 2, 4
_MIN_CORNERS = 3
_FAR = 1e9

Point: TypeAlias = tuple[float, float]
"""x to the right, y down."""


class Part(NamedTuple):
    """A rectangle of whole pixels in the source's picture."""

    top: int
    left: int
    height: int
    width: int


def _number(value: Any) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or (isinstance(value, float) and math.isnan(value))
    ):
        raise ValueError(f"{value!r} is no number")
    if not 0 <= value <= _FAR:
        raise ValueError(f"{value!r:.20} lies outside the picture")
    return float(value)


def _rectangle(value: Any) -> tuple[float, ...]:
    if not isinstance(value, list | tuple) or len(value) != _FOUR:
        raise ValueError("accepted: [left, top, right, bottom]")
    return tuple(map(_number, value))


def _in_order(value: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = value
    if left >= right or top >= bottom:
        raise ValueError("accepted: [left, top, right, bottom], with left < right and top < bottom")
    return value


def _polygon(value: Any) -> tuple[Point, ...]:
    if not isinstance(value, list | tuple) or not _MIN_CORNERS <= len(value) <= MAX_CORNERS:
        raise ValueError(f"accepted: a polygon [[x, y], [x, y], [x, y], …] of 3 to {MAX_CORNERS} corners")
    if not all(isinstance(corner, list | tuple) and len(corner) == _TWO for corner in value):
        raise ValueError("accepted: a polygon [[x, y], [x, y], [x, y], …]")
    return tuple((_number(x), _number(y)) for x, y in value)


Rectangle = Annotated[
    tuple[float, float, float, float], BeforeValidator(_rectangle), AfterValidator(_in_order)
]
"""left, top, right, bottom."""
Polygon = Annotated[tuple[Point, ...], BeforeValidator(_polygon)]


def as_fractions(values: Sequence[float], size: tuple[int, int] | None) -> list[float]:
    """x, y, x, y, … as fractions of the picture's width and height, 0 … 1.

    Values of which none is above 1 are fractions already, others are pixels of a picture of `size` (width, height). Raises ValueError.
    """
    if max(values) <= 1:
        return list(values)
    if size is None:
        raise ValueError(
            "these are pixels; say of what size of picture (`size = [1920, 1080]`), or give fractions, 0 to 1"
        )
    fractions = [value / size[place % 2] for place, value in enumerate(values)]
    if max(fractions) > 1:
        raise ValueError(f"this lies outside a picture of {size[0]} x {size[1]}")
    return fractions


def part_of(fractions: Sequence[float], height: int, width: int) -> Part:
    """The pixels that the rectangle left, top, right, bottom touches in a picture of this size; one at least."""
    left, top, right, bottom = fractions
    first_column, first_row = (
        min(int(place * side), side - 1) for place, side in ((left, width), (top, height))
    )
    # Rounded first, as 0.55 * 100 is a little more than 55.
    columns, rows = (
        min(side, math.ceil(round(place * side, 6))) for place, side in ((right, width), (bottom, height))
    )
    return Part(first_row, first_column, max(1, rows - first_row), max(1, columns - first_column))


def bounds_of(fractions: Sequence[float]) -> tuple[float, float, float, float]:
    """left, top, right, bottom of what the polygon x, y, x, y, … covers."""
    across, down = fractions[::2], fractions[1::2]
    return min(across), min(down), max(across), max(down)
