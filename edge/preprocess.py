"""From a camera's frame to the picture that the weights were made for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from shared.vision import InterpolationMode, transforms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.preprocessing import Preprocessing


class Preprocess:
    """Resize and crop as the weights prescribe, with torchvision's own antialiased resize, on 8-bit values."""

    def __init__(self, preprocessing: Preprocessing, *, grayscale: bool = False) -> None:
        self._resize = [preprocessing.resize]
        self._crop = [preprocessing.crop]
        self._interpolation = InterpolationMode(preprocessing.interpolation)
        self._grayscale = grayscale

    def __call__(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 BGR, as OpenCV delivers it -> (crop, crop, 3) uint8 RGB."""
        tensor = torch.from_numpy(frame).permute(2, 0, 1)  # (3, H, W), a view
        tensor = transforms.resize(tensor, self._resize, interpolation=self._interpolation, antialias=True)
        tensor = transforms.center_crop(tensor, self._crop)
        picture: NDArray[np.uint8] = tensor.permute(1, 2, 0).numpy()
        if self._grayscale:
            grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_BGR2GRAY)
            return np.repeat(grey[:, :, None], 3, axis=2)
        return np.ascontiguousarray(picture[:, :, ::-1])  # BGR -> RGB after the crop, where it is cheapest
