"""Pyramids: the places of several levels one after another, and which pyramid a number of places is that of."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

STRIDES = "8:16:32"
"""Pixels of the input for one place of each level, unless others are given."""
MAX_LEVELS = 8
_ALL = (2, 4, 8, 16, 32, 64, 128)
_USUAL = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (8, 16, 32, 64, 128), (16, 32))
_MOST_ANCHORS = 9
_MOST_PLACES = 1 << 20


class Pyramid(NamedTuple):
    """A pyramid with so many boxes at every place."""

    strides: tuple[int, ...]
    anchors: int


def grid(rows: int, columns: int) -> NDArray[np.float64]:
    """(rows * columns, 2): x and y of each place, row by row."""
    y, x = np.mgrid[:rows, :columns]
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64)


def places(
    size: tuple[int, int], strides: Iterable[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """All levels over an input of `size` (height, width): (A, 2) x and y in places, and (A,) the stride of each.

    Raises ValueError for strides that are none.
    """
    strides = tuple(strides)
    if not strides or min(strides) < 1 or count_places(size, strides) > _MOST_PLACES:
        raise ValueError(
            f"strides={':'.join(f'{each:g}' for each in strides)}; accepted: numbers from 1, of at most {_MOST_PLACES} places"
        )
    each = [(grid(*_level(size, stride)), stride) for stride in strides]
    found = np.concatenate([level for level, _ in each])
    return found, np.concatenate([np.full(len(level), stride, np.float64) for level, stride in each])


def count_places(size: tuple[int, int], strides: Iterable[float]) -> int:
    """How many places all levels have."""
    return sum(rows * columns for rows, columns in (_level(size, stride) for stride in strides))


def pyramids(size: tuple[int, int], boxes: int) -> list[Pyramid]:
    """The pyramids that have this number of boxes, the most usual first."""
    found = []
    for strides in _sets():
        anchors, rest = divmod(boxes, count_places(size, strides))
        if not rest and 1 <= anchors <= _MOST_ANCHORS:
            found.append(Pyramid(strides, anchors))
    return sorted(found, key=lambda each: (each.strides not in _USUAL, each.anchors))


def centres(size: tuple[int, int], pyramid: Pyramid, *, innermost: bool) -> NDArray[np.float64]:
    """(A, 2): where the middle of each box's place is, in pixels.

    `innermost`: the boxes of one place follow each other; else those of one kind do, within each level.
    """
    found = []
    for stride in pyramid.strides:
        level = (grid(*_level(size, stride)) + 0.5) * stride
        found.append(
            np.repeat(level, pyramid.anchors, 0) if innermost else np.tile(level, (pyramid.anchors, 1))
        )
    return np.concatenate(found)


def _level(size: tuple[int, int], stride: float) -> tuple[int, int]:
    return int(-(-size[0] // stride)), int(-(-size[1] // stride))


def _sets() -> Iterator[tuple[int, ...]]:
    """Strides that follow each other."""
    for first in range(len(_ALL)):
        for last in range(first + 1, len(_ALL) + 1):
            yield _ALL[first:last]
