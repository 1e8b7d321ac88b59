"""Checks of a recipe's values, each of which names what was found and what is accepted."""

from __future__ import annotations

import math
from typing import Any

from shared.limits import MAX_DIMENSION, MAX_PICTURE_PIXELS

Triple = tuple[float, float, float]


def check_size(width: int, height: int) -> None:
    """Raises TypeError or ValueError unless a picture of this size can be carried."""
    for name, side in (("width", width), ("height", height)):
        check_whole(name, side, 1, MAX_DIMENSION)
    if width * height > MAX_PICTURE_PIXELS:
        raise ValueError(f"{width}x{height} pixels; accepted: at most {MAX_PICTURE_PIXELS} in all")


def check_whole(name: str, value: Any, least: int, most: int) -> int:
    """The value itself. Raises TypeError or ValueError unless it is a whole number in this range."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} {value!r}; accepted: a whole number")
    if not least <= value <= most:
        raise ValueError(f"{name} {value}; accepted: {least} to {most}")
    return value


def check_number(name: str, value: Any) -> float:
    """The value as a float. Raises TypeError or ValueError unless it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} {value!r}; accepted: a number")
    try:
        number = float(value)
    except OverflowError:  # JSON's whole numbers have as many digits as one likes
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name} {str(value)[:40]}; accepted: a finite number")
    return number


def check_triple(name: str, values: Any) -> Triple:
    """Three floats. Raises TypeError or ValueError unless there are three finite numbers."""
    if not isinstance(values, list | tuple) or len(values) != 3:
        raise TypeError(f"{name} {values!r}; accepted: three numbers")
    first, second, third = (check_number(name, value) for value in values)
    return first, second, third
