"""From a camera's frame to the picture that the weights were made for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import torch
from torch.nn.functional import interpolate

from shared.vision import transforms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shared.preprocessing import Preprocessing


_MOST_ASPECT = 16


class Preprocess:
    """Resize and crop as the weights prescribe, on 8-bit values from first to last, as PIL does.

    torchvision's resize of a tensor goes by way of float32: slower, and up to 20 levels from the picture that the
    weights were made for, because PIL rounds and clips after each of the two directions.
    """

    def __init__(self, preprocessing: Preprocessing, *, grayscale: bool = False) -> None:
        self._resize = preprocessing.resize
        self._crop = [preprocessing.crop]
        self._mode = preprocessing.interpolation
        self._grayscale = grayscale

    def __call__(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 BGR, as OpenCV delivers it -> (crop, crop, 3) uint8 RGB."""
        frame = _middle(frame)
        # (1, 3, H, W), a view. The batch comes first: only so does torch see that a pixel's colours lie together, and
        # resizes them as they are, in half the time.
        tensor = torch.from_numpy(frame)[None].permute(0, 3, 1, 2)
        size = self._resized(*frame.shape[:2])
        if size != frame.shape[:2]:
            tensor = interpolate(tensor, size=size, mode=self._mode, align_corners=False, antialias=True)
        tensor = transforms.center_crop(tensor[0], self._crop)
        picture = tensor.permute(1, 2, 0).numpy()
        # The colours come last, where there are fewest pixels.
        if self._grayscale:
            picture = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        result: NDArray[np.uint8] = cv2.cvtColor(
            picture, cv2.COLOR_GRAY2RGB if self._grayscale else cv2.COLOR_BGR2RGB
        )
        return result

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        """The shorter side becomes `resize`; the other one is cut to whole pixels, as torchvision does."""
        longer = int(self._resize * max(height, width) / min(height, width))
        return (self._resize, longer) if height <= width else (longer, self._resize)


def _middle(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """All of any usual frame. Of one that is far longer than wide, the middle: the crop takes no more, and resized whole
    a picture of a single row would become gigabytes.
    """
    height, width = frame.shape[:2]
    longest = _MOST_ASPECT * min(height, width)
    top, left = max(0, (height - longest) // 2), max(0, (width - longest) // 2)
    return frame[top : top + longest, left : left + longest]
