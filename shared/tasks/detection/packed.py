"""Boxes in binary, as SESSION.md has them: twelve bytes each, in pixels of a network's input that both sides know."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING

from shared.tasks.base import MAX_SHORT, packed_score, score_of
from shared.tasks.detection.boxes import MAX_BOXES, MAX_MORE, Box, Boxes

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.wire.frame import Bytes

_ROW = struct.Struct("<6H")
"""Class, score, x0, y0, x1, y1."""
_MORE = struct.Struct("<I")
_FINEST, _COARSEST = 100, 4
"""Steps in a pixel: answers have no more than hundredths, and a quarter is the most by which a corner may move."""


def steps_in_pixel(size: tuple[int, int]) -> int:
    """In how many steps a pixel of an input of `size` (width, height) is divided; 0 if corners would be too coarse."""
    steps = min(_FINEST, MAX_SHORT // max(size))
    return steps if steps >= _COARSEST else 0


def packed_boxes(answer: Boxes, size: tuple[int, int]) -> bytes | None:
    """None for boxes of another picture than the input, of `size` (width, height), and for what does not fit two bytes."""
    steps = steps_in_pixel(size)
    if answer.size != size or not steps or any(box.class_id > MAX_SHORT for box in answer.boxes):
        return None
    rows = []
    for box in answer.boxes:
        left, top, right, bottom = box.corners
        (x0, x1), (y0, y1) = _side(left, right, steps), _side(top, bottom, steps)
        rows.append(_ROW.pack(box.class_id, packed_score(box.score), x0, y0, x1, y1))
    return b"".join((*rows, _MORE.pack(answer.more) if answer.more else b""))


def _side(low: float, high: float, steps: int) -> tuple[int, int]:
    """Both ends in steps; a side that is shorter than a step becomes one, on whose side its middle is."""
    first, last = round(low * steps), round(high * steps)
    if first < last:
        return first, last
    return (first, first + 1) if low + high >= 2 * first / steps else (first - 1, first)


def unpacked_boxes(body: Bytes, name_of: Callable[[int], str], size: tuple[int, int]) -> Boxes:
    """The boxes, every value checked, in the input of `size` (width, height). Raises ValueError."""
    steps = steps_in_pixel(size)
    count, rest = divmod(len(body), _ROW.size)
    if not steps or rest not in (0, _MORE.size) or count > MAX_BOXES:
        raise ValueError(f"{len(body)} bytes are no answer of boxes in {size[0]}x{size[1]}")
    view = memoryview(body)
    (more,) = _MORE.unpack_from(view, count * _ROW.size) if rest else (0,)
    if rest and not 0 < more <= MAX_MORE:
        raise ValueError(f"{more} boxes that were left out")
    boxes = tuple(_box(row, name_of, size, steps) for row in _ROW.iter_unpack(view[: count * _ROW.size]))
    if any(first.score < second.score for first, second in pairwise(boxes)):
        raise ValueError("the box with the highest score comes first")
    return Boxes(boxes, size, more)


def _box(row: tuple[int, ...], name_of: Callable[[int], str], size: tuple[int, int], steps: int) -> Box:
    number, score, x0, y0, x1, y1 = row
    if not (x0 < x1 <= size[0] * steps and y0 < y1 <= size[1] * steps):
        raise ValueError(f"a box of {row[2:]} in {size[0]}x{size[1]}, {steps} steps a pixel")
    left, top, right, bottom = (round(place / steps, 2) for place in (x0, y0, x1, y1))
    return Box(number, name_of(number), score_of(score), (left, top, right, bottom))
