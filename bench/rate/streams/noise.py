"""Noise of a sensor, added to the camera's pictures: clips that were coded once have none, which flatters video codecs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NONE, GAUSSIAN, SHOT = "none", "gaussian", "shot"
KINDS = (NONE, GAUSSIAN, SHOT)
SIGMA = 4.0
"""Standard deviation, of 255; that of `shot` in middle grey."""
_SEED = 20
_MIDDLE = 128.0


@dataclass(frozen=True)
class Noise:
    """One kind of noise. A frame's is the same in every run, and no other frame's."""

    kind: str = NONE

    def __call__(self, picture: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
        """The picture, (H, W, 3) uint8, with the noise of the frame of this number of its clip."""
        if self.kind == NONE:
            return picture
        drawn = np.random.default_rng((_SEED, number)).standard_normal(picture.shape, np.float32)
        drawn *= SIGMA if self.kind == GAUSSIAN else _of_light()[picture]
        drawn += picture
        return np.clip(np.rint(drawn), 0, 255).astype(np.uint8)

    def describe(self) -> str:
        """For a table's title."""
        return {
            NONE: "as it is",
            GAUSSIAN: f"with sensor noise of sigma {SIGMA:g}",
            SHOT: f"with shot noise of sigma {SIGMA:g} in middle grey",
        }[self.kind]


def _of_light() -> NDArray[np.float32]:  # (256,)
    """Standard deviation by value: the variance of a count of photons is in proportion to the count."""
    return (SIGMA * np.sqrt(np.arange(256) / _MIDDLE)).astype(np.float32)
