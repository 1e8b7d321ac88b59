"""What the network may see of a camera's picture: masks, zone and crop, applied before a frame is handed to anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from edge.cameras.polygon import touched
from edge.cameras.shapes import bounds_of, part_of
from shared.errors import StartupError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.cameras.settings import CameraSettings
    from edge.cameras.shapes import Part

_SEEN, _HIDDEN = 255, 0

_BLIND_SIDE = 1024
"""Pixels on each side of the picture on which it is tried whether anything is left to be seen."""


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

    def refuse_blind(self) -> None:
        """Raises StartupError if there is nothing left to be seen: its answers would be about black pictures for ever."""
        self._draw(_BLIND_SIDE, _BLIND_SIDE)
        if self._stencil is not None and not self._stencil.any():
            raise StartupError("its masks, zone and crop leave nothing of the picture")

    def _draw(self, height: int, width: int) -> None:
        self._size = height, width
        self._part = part_of(self._crop, height, width) if self._crop else None
        self._stencil = None
        if self._zone or self._masks:
            whole = np.full((height, width), _HIDDEN if self._zone else _SEEN, np.uint8)
            if self._zone:
                whole[touched(self._zone, height, width)] = _SEEN
            for mask in self._masks:
                whole[touched(mask, height, width)] = _HIDDEN
            part = self._part
            if part:
                whole = whole[part.top : part.top + part.height, part.left : part.left + part.width]
            self._stencil = np.ascontiguousarray(whole)
