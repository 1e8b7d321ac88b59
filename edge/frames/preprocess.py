"""From a camera's frame to the picture that the network sees, and to the one that travels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2

from shared.network.recipes.resize import fit_picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shared.network.recipe import Recipe


class Preprocess:
    """Fits pictures to the network as the recipe says, and turns OpenCV's order of colours, BGR, into RGB."""

    def __init__(self, recipe: Recipe, *, grayscale: bool = False, source_size: bool = False) -> None:
        """`grayscale`: three equal channels. `source_size`: the camera's own picture travels, and the cloud resizes it."""
        self._recipe = recipe
        self._grayscale = grayscale
        self._source_size = source_size

    def __call__(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A camera's picture, (H, W, 3) uint8 BGR as sources give it -> the network's, (height, width, 3) uint8 RGB."""
        return self._rgb(fit_picture(frame, self._recipe))  # colours last, where there are fewest pixels

    def outgoing(self, frame: NDArray[np.uint8], picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What a picture codec sends of `frame` (BGR): `picture`, which was made of it, or all of it, (H, W, 3) uint8 RGB."""
        # The cloud takes a picture of the network's size for a resized one (shared/wire/WIRE.md), so it must be one.
        if not self._source_size or frame.shape == picture.shape:
            return picture
        return self._rgb(frame)

    def is_own(self, frame: NDArray[np.uint8], outgoing: NDArray[np.uint8]) -> bool:
        """Whether what goes out is the camera's very picture: all of it, in its own size and colours."""
        if not self._source_size or self._grayscale:
            return False
        # A picture of the network's size is taken for a resized one, and a camera's is none.
        return outgoing.shape == frame.shape != self._recipe.picture_shape

    def _rgb(self, picture: Any) -> NDArray[np.uint8]:
        if self._grayscale:
            picture = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        result: NDArray[np.uint8] = cv2.cvtColor(
            picture, cv2.COLOR_GRAY2RGB if self._grayscale else cv2.COLOR_BGR2RGB
        )
        return result
