"""From a camera's frame to the picture that the network sees, and to the one that travels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2

from shared.network.resize import resize_and_crop

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shared.network.recipe import Recipe


class Preprocess:
    """Resize and crop as the weights prescribe, and OpenCV's colours to those of everybody else."""

    def __init__(self, recipe: Recipe, *, grayscale: bool = False, source_size: bool = False) -> None:
        """`source_size`: what travels is the camera's own picture, for the cloud to resize."""
        self._recipe = recipe
        self._grayscale = grayscale
        self._source_size = source_size

    def __call__(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 BGR, as OpenCV delivers it -> (crop, crop, 3) uint8 RGB."""
        return self._rgb(resize_and_crop(frame, self._recipe))  # colours last, where there are fewest pixels

    def outgoing(self, frame: NDArray[np.uint8], picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What a picture codec carries of `frame` (BGR): `picture`, made of it, or all of it as (H, W, 3) uint8 RGB."""
        # The cloud takes a picture of the network's size for a resized one, as shared/wire/WIRE.md says. So it has to be one.
        if not self._source_size or frame.shape == picture.shape:
            return picture
        return self._rgb(frame)

    def _rgb(self, picture: Any) -> NDArray[np.uint8]:
        if self._grayscale:
            picture = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        result: NDArray[np.uint8] = cv2.cvtColor(
            picture, cv2.COLOR_GRAY2RGB if self._grayscale else cv2.COLOR_BGR2RGB
        )
        return result
