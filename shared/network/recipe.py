"""How a picture becomes the network's input, as the weights prescribe."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Recipe:
    """The recipe that a set of weights was made for (torchvision's `ImageClassification` preset).

    First, on the 8-bit picture, the shorter side is resized to `resize` pixels and the centre cropped to `crop` pixels
    (shared/network/resize.py, on both sides); then come (v / 255 - mean) / std for each channel. What travels at the split point
    `input` is the picture between the two, or the camera's own, which the cloud then resizes.
    """

    resize: int
    crop: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str

    def canonical(self) -> str:
        """What the fingerprint hashes of a recipe. This text must never change: both sides compare the hashes."""
        return (
            f"Preprocessing(resize={self.resize!r}, crop={self.crop!r}, mean={self.mean!r}, std={self.std!r}, "
            f"interpolation={self.interpolation!r})"
        )

    @property
    def picture_shape(self) -> tuple[int, int, int]:
        """(crop, crop, 3): a resized and cropped picture, uint8 RGB."""
        return (self.crop, self.crop, 3)

    @property
    def tensor_shape(self) -> tuple[int, int, int]:
        """(3, crop, crop): the network's input, float32, without the batch dimension."""
        return (3, self.crop, self.crop)

    @cached_property
    def _table(self) -> NDArray[np.float32]:  # (3, 256): every value of a channel, normalised
        values = np.arange(256, dtype=np.float32) / np.float32(255)
        mean = np.array(self.mean, dtype=np.float32)[:, None]
        std = np.array(self.std, dtype=np.float32)[:, None]
        return (values[None, :] - mean) / std

    def normalise(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W, 3) uint8 RGB -> (3, H, W) float32, bit for bit the result of torchvision's `normalize`."""
        tensor = np.empty((3, *picture.shape[:2]), dtype=np.float32)
        for channel in range(3):
            np.take(self._table[channel], picture[:, :, channel], out=tensor[channel])
        return tensor
