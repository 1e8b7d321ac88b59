"""What the network may see of a camera's picture: masks, zone and crop, applied before a frame is handed to anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np

from edge.cameras.shapes import bounds_of, part_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.cameras.settings import CameraSettings
    from edge.cameras.shapes import Part

_SEEN, _HIDDEN = 255, 0


class View:
    """Blackens what is masked or outside the zone, and cuts off what is outside the crop. Used by one thread.

    A mask covers every pixel that its polygon touches. Polygons follow the picture's size, should that change.
    """

    def __init__(self, settings: CameraSettings) -> None:
        crop, self._zone, self._masks = settings.places
        self._crop = crop or (list(bounds_of(self._zone)) if self._zone else None)
        self._size: tuple[int, int] | None = None
        self._part: Part | None = None
        self._stencil: NDArray[np.uint8] | None = None

    def __call__(self, picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Part | None]:
        """(H, W, 3) uint8 BGR -> what is seen of it, (h, w, 3), in memory of its own if anything is hidden.

        Also where that lies in the picture; None if it is all of it.
        """
        height, width = picture.shape[:2]
        if self._size != (height, width):
            self._draw(height, width)
        part, stencil = self._part, self._stencil
        if part:
            picture = picture[part.top : part.top + part.height, part.left : part.left + part.width]
        if stencil is not None:
            # Written elsewhere: a source keeps what it has handed out.
            picture = cast("NDArray[np.uint8]", cv2.bitwise_and(picture, picture, mask=stencil))
        return np.ascontiguousarray(picture), part

    def _draw(self, height: int, width: int) -> None:
        self._size = height, width
        self._part = part_of(self._crop, height, width) if self._crop else None
        self._stencil = None
        if self._zone or self._masks:
            whole: Any = np.full((height, width), _HIDDEN if self._zone else _SEEN, np.uint8)
            if self._zone:
                cv2.fillPoly(whole, [_corners(self._zone, height, width)], _SEEN)
            for mask in self._masks:
                cv2.fillPoly(whole, [_corners(mask, height, width)], _HIDDEN)
            part = self._part
            if part:
                whole = whole[part.top : part.top + part.height, part.left : part.left + part.width]
            self._stencil = np.ascontiguousarray(whole)


def _corners(fractions: Sequence[float], height: int, width: int) -> NDArray[np.int32]:
    """(n, 2): the corners x, y, x, y, … as pixels of a picture of this size."""
    points = np.array(fractions, np.float64).reshape(-1, 2) * (width, height)
    return np.minimum(np.floor(points), (width - 1, height - 1)).astype(np.int32)
