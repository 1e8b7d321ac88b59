"""Which boxes are the same object by what their pixels do: points in each are followed from picture to picture, with optical flow.

It knows nothing of overlaps, which is all that the edge's own tracker looks at. No person has checked it: where the two differ, either
may be wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared.tasks.detection.boxes import Box

_SIDE = 7
"""Points of a box along each side, in its inner part."""
_INNER = 0.7
_LEAST_SHARE = 0.5
"""Points of an object that have to be in a box, of those that are left."""
_LEAST_POINTS = 8
_BACK = 1.0
"""Pixels by which a point may miss its origin when it is followed back."""


@dataclass
class _Object:
    number: int
    class_id: int
    points: NDArray[np.float32]
    """(n, 1, 2)"""
    last_at: float


class ByFlow:
    """`look` at each picture with its boxes."""

    def __init__(self, lost_s: float) -> None:
        """An object is forgotten once it has had no box for so many seconds."""
        self._lost_s = lost_s
        self._objects: list[_Object] = []
        self._before: NDArray[np.uint8] | None = None
        self._count = 0

    def look(self, picture: NDArray[np.uint8], boxes: Sequence[Box], at: float) -> list[int]:
        """The number of each box's object; (H, W, 3) BGR."""
        grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
        if self._before is not None:
            self._follow(self._before, grey)
        self._before = grey
        shares = np.array([[_share(each, box) for box in boxes] for each in self._objects])
        numbers = [0] * len(boxes)
        while shares.size and shares.max() >= _LEAST_SHARE:
            row, column = divmod(int(shares.argmax()), len(boxes))
            self._objects[row].points, self._objects[row].last_at = _points(boxes[column]), at
            numbers[column] = self._objects[row].number
            shares[row], shares[:, column] = 0, 0
        for column, box in enumerate(boxes):
            if not numbers[column]:
                self._count += 1
                numbers[column] = self._count
                self._objects.append(_Object(self._count, box.class_id, _points(box), at))
        self._objects = [
            each
            for each in self._objects
            if len(each.points) >= _LEAST_POINTS and at - each.last_at <= self._lost_s
        ]
        return numbers

    def _follow(self, before: NDArray[np.uint8], now: NDArray[np.uint8]) -> None:
        if not self._objects:
            return
        points = np.concatenate([each.points for each in self._objects])
        moved, there, _ = map(np.asarray, cv2.calcOpticalFlowPyrLK(before, now, points, points.copy()))
        back, found, _ = map(np.asarray, cv2.calcOpticalFlowPyrLK(now, before, moved, points.copy()))
        near = np.abs(back - points).max((1, 2)) <= _BACK
        good = near & (there[:, 0] == 1) & (found[:, 0] == 1)
        start = 0
        for each in self._objects:
            rows = slice(start, start + len(each.points))
            start = rows.stop
            each.points = moved[rows][good[rows]]


def _points(box: Box) -> NDArray[np.float32]:
    x0, y0, x1, y1 = box.corners
    steps = 0.5 + _INNER * np.linspace(-0.5, 0.5, _SIDE)
    xs, ys = np.meshgrid(x0 + steps * (x1 - x0), y0 + steps * (y1 - y0))
    return np.stack([xs.ravel(), ys.ravel()], 1).astype(np.float32)[:, None]


def _share(one: _Object, box: Box) -> float:
    """How many of the object's points are in the box."""
    if one.class_id != box.class_id or len(one.points) < _LEAST_POINTS:
        return 0.0
    x0, y0, x1, y1 = box.corners
    xs, ys = one.points[:, 0, 0], one.points[:, 0, 1]
    return float(((xs >= x0) & (xs <= x1) & (ys >= y0) & (ys <= y1)).mean())
