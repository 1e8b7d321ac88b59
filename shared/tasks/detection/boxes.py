"""The answer of `detect`: boxes, best first."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.limits import MAX_LABELS, MAX_PICTURE_PIXELS
from shared.tasks.base import foreign_label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from shared.network.recipe import Recipe

MAX_BOXES = 300
"""Boxes of one answer, at most; `more` says how many were left out."""
MAX_MORE = 1 << 24
_PLACES = 2
"""Decimal places of a corner: hundredths of a pixel."""
_NOTHING_SEEN = "nothing"
_NUMBERS = (int, float)
"""What JSON's numbers are read as; `bool` is an `int` of Python's only."""


@dataclass(frozen=True, slots=True)
class Box:
    """One thing that is seen."""

    class_id: int
    label: str
    score: float
    """0 … 1."""
    corners: tuple[float, float, float, float]
    """x0, y0, x1, y1 in pixels; x0 < x1 and y0 < y1."""

    def fields(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "class_id": self.class_id,
            "label": self.label,
            "score": self.score,
            "box": list(self.corners),
        }


@dataclass(frozen=True, slots=True)
class Boxes:
    """The answer: what is seen and where, the highest score first."""

    boxes: tuple[Box, ...] = ()
    size: tuple[int, int] | None = None
    """(width, height) of the picture in whose pixels the corners are; None if the network could not answer."""
    more: int = 0
    """Boxes that were left out."""

    def fields(self) -> dict[str, Any]:
        return {
            "boxes": [each.fields() for each in self.boxes],
            "size": list(self.size) if self.size else None,
            "more": self.more,
        }

    def headline(self) -> str:
        """`2 person, 1 car`: the most frequent first, then by name."""
        if self.size is None:
            return ""
        counts = Counter(each.label for each in self.boxes)
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return ", ".join(f"{count} {label}" for label, count in ranked) or _NOTHING_SEEN

    def findings(self) -> list[tuple[str, float]]:
        """Each class that is seen, with its best score; the best first."""
        best: dict[str, float] = {}
        for each in self.boxes:
            best.setdefault(each.label, each.score)
        return list(best.items())

    def shows(self) -> list[str]:
        """Every class that has a box."""
        return [name for name, _ in self.findings()]

    def in_picture(self, recipe: Recipe, size: tuple[int, int]) -> Boxes:
        """The same in the camera's picture. Boxes that lie wholly in the padding go."""
        if self.size is None:
            return self
        height, width = size
        corners = recipe.to_source(
            np.array([each.corners for each in self.boxes], np.float64).reshape(-1, 4), size
        )
        moved = (
            Box(box.class_id, box.label, box.score, place)
            for box, place in zip(self.boxes, rounded(corners), strict=True)
            if _has_area(place)
        )
        return Boxes(tuple(moved), (width, height), self.more)


def rounded(corners: NDArray[np.float64]) -> list[tuple[float, float, float, float]]:
    """(n, 4) -> n boxes of hundredths of a pixel."""
    found: list[Any] = np.round(corners, _PLACES).tolist()
    return [(x0, y0, x1, y1) for x0, y0, x1, y1 in found]


def boxes_of(
    corners: NDArray[np.float64],
    scores: Iterable[float],
    classes: Iterable[int],
    name_of: Callable[[int], str],
    size: tuple[int, int],
) -> Boxes:
    """The answer that holds these, the best first and at most MAX_BOXES; those without area go. `size` is (width, height).

    Raises what `name_of` raises for a class that there is not.
    """
    limits = np.array([*size, *size], np.float64)
    places = rounded(np.clip(corners, 0, limits))
    found = [
        Box(number, name_of(number), round(score, 6), place)
        for place, score, number in zip(places, scores, classes, strict=True)
        if _has_area(place)
    ]
    return Boxes(tuple(found[:MAX_BOXES]), size, max(0, len(found) - MAX_BOXES))


def parse_boxes(
    fields: Mapping[str, Any], name_of: Callable[[int], str] | None, size: tuple[int, int] | None
) -> Boxes:
    """The answer in a reply, every value checked; `name_of` a class and `size` (width, height) are this side's, if it has any.

    Raises ValueError, TypeError, KeyError, AttributeError or OverflowError.
    """
    given, found_size, more = fields["boxes"], fields["size"], fields["more"]
    if not isinstance(given, list) or len(given) > MAX_BOXES:
        raise TypeError(f"the boxes are a list of at most {MAX_BOXES}")
    if not isinstance(found_size, list) or [type(side) for side in found_size] != [int, int]:
        raise TypeError("the size is a list of two whole numbers")
    width, height = found_size
    if min(width, height) < 1 or width * height > MAX_PICTURE_PIXELS or size not in (None, (width, height)):
        raise ValueError(f"a size of {width}x{height}")
    if type(more) is not int or not 0 <= more <= MAX_MORE:
        raise ValueError("the number of boxes left out is a whole number, 0 or more")
    boxes = tuple(_parse_box(each, name_of, (width, height)) for each in given)
    if any(first.score < second.score for first, second in pairwise(boxes)):
        raise ValueError("the box with the highest score comes first")
    return Boxes(boxes, (width, height), more)


def _parse_box(fields: Mapping[str, Any], name_of: Callable[[int], str] | None, size: tuple[int, int]) -> Box:
    number, score, corners = fields["class_id"], _number(fields["score"]), fields["box"]
    if type(number) is not int or not 0 <= number < MAX_LABELS:
        raise ValueError(f"a class id of {str(number)[:40]}")
    if not 0 <= score <= 1:
        raise ValueError(f"a score of {score}")
    if not isinstance(corners, list) or len(corners) != 4:
        raise TypeError("a box is a list of four numbers")
    x0, y0, x1, y1 = map(_number, corners)
    if not (0 <= x0 < x1 <= size[0] and 0 <= y0 < y1 <= size[1]):
        raise ValueError(f"a box of {corners} in {size[0]}x{size[1]}")
    label = foreign_label(fields["label"]) if name_of is None else name_of(number)
    return Box(number, label, score, (x0, y0, x1, y1))


def _number(value: Any) -> float:
    if type(value) not in _NUMBERS or not math.isfinite(value):
        raise ValueError("not a finite number")
    return float(value)


def _has_area(corners: tuple[float, float, float, float]) -> bool:
    x0, y0, x1, y1 = corners
    return x0 < x1 and y0 < y1
