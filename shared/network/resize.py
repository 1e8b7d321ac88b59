"""From a picture of any size to the size that the weights were made for: one kernel for edge and cloud.

Pictures are resized at the edge or, if they travel in the camera's own size, in the cloud. Both use this module, so that the
network sees the same picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import interpolate

from shared.limits import MAX_ASPECT
from shared.network.vision import transforms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shared.network.recipe import Recipe


def resize_and_crop(picture: NDArray[np.uint8], recipe: Recipe) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 -> (crop, crop, 3) uint8, possibly a view of `picture`; the order of the colours does not matter.

    Resizes and crops as the weights prescribe, on 8-bit values throughout, as PIL does. torchvision's resize of a tensor
    converts to float32: that is slower, and differs by up to 20 levels from the picture that the weights were made for,
    because PIL rounds and clips after each of the two directions.
    """
    picture = _middle(picture)
    if not picture.flags.writeable:  # decoders return such arrays, and torch would warn
        picture = picture.copy()
    # (1, 3, H, W), a view. With the batch dimension torch notices that a pixel's colours are adjacent in memory (channels
    # last) and resizes without rearranging them, in half the time.
    tensor = torch.from_numpy(picture)[None].permute(0, 3, 1, 2)
    size = _resized(picture.shape[0], picture.shape[1], shorter=recipe.resize)
    if size != picture.shape[:2]:
        tensor = interpolate(
            tensor, size=size, mode=recipe.interpolation, align_corners=False, antialias=True
        )
    cropped: NDArray[np.uint8] = transforms.center_crop(tensor[0], [recipe.crop]).permute(1, 2, 0).numpy()
    return cropped


def _resized(height: int, width: int, *, shorter: int) -> tuple[int, int]:
    """(rows, columns): the shorter side becomes `shorter`; the longer one is rounded down, as torchvision does."""
    longer = int(shorter * max(height, width) / min(height, width))
    return (shorter, longer) if height <= width else (longer, shorter)


def _middle(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture itself, or the middle of one that is far longer than wide.

    The crop needs no more, and a picture of a single row, resized as a whole, would become gigabytes.
    """
    height, width = picture.shape[:2]
    longest = MAX_ASPECT * min(height, width)
    top, left = max(0, (height - longest) // 2), max(0, (width - longest) // 2)
    return picture[top : top + longest, left : left + longest]
