"""The shape in which a player shows a picture: square pixels, the right way up."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import cv2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from fractions import Fraction

    from av.sidedata.sidedata import SideData
    from av.video.frame import VideoFrame

    from edge.sources.base import Picture

_MOST_UNSQUARE = 16  # no format has pixels so wide or so high; such a mark is a mistake
_MATRIX = struct.Struct("=9i")


def shown_size(width: int, height: int, aspect: Fraction | None) -> tuple[int, int]:
    """(width, height) with square pixels, where stored ones are `aspect` times as wide as they are high.

    The side that is too short grows, so that nothing is lost. None, 0 and what no format has count as square.
    """
    if not aspect or aspect == 1 or not 1 / _MOST_UNSQUARE <= aspect <= _MOST_UNSQUARE:
        return width, height
    return (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))


def square(picture: Picture, aspect: Fraction | None) -> Picture:
    """A picture (H, W, 3) whose pixels are of this shape, with square ones."""
    height, width = picture.shape[:2]
    size = shown_size(width, height, aspect)
    if size == (width, height):
        return picture
    return cast("Picture", cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC))


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a stored picture becomes an upright one: its diagonal mirrored first, then left and right, then top and bottom."""

    transposed: bool = False
    left_right: bool = False
    top_bottom: bool = False

    def upright(self, picture: Picture) -> Picture:
        """(H, W, 3) uint8 to (H, W, 3), or (W, H, 3) if transposed; C-contiguous."""
        if self.transposed:
            picture = cast("Picture", cv2.transpose(picture))
        if self.left_right or self.top_bottom:
            axis = -1 if self.left_right and self.top_bottom else int(self.left_right)
            picture = cast("Picture", cv2.flip(picture, axis))
        return picture


AS_STORED = Orientation()


class Orientations:
    """What display matrices say (ISO/IEC 14496-12, 8.2.2), frame after frame, to the nearest quarter turn.

    A container's is on each frame. One of the stream itself (H.264 and H.265, "display orientation") is on the first that it holds for,
    and holds to the next key frame.
    """

    def __init__(self, bare: Callable[[VideoFrame], VideoFrame] | None = None) -> None:
        """`bare` gives a frame that is told the same, to be asked instead."""
        self._now = AS_STORED
        self._bare = bare

    def of(self, frame: VideoFrame) -> Orientation:
        """How the next frame in the order of showing was held."""
        # To ask takes a while, and FFmpeg's own rotation tells of all but a mirrored frame, which a key frame begins.
        if not frame.key_frame and not frame.rotation:
            return self._now
        found = _told(self._bare(frame) if self._bare else frame)
        if found is not None or frame.key_frame:
            self._now = found or AS_STORED
        return self._now


def _told(frame: VideoFrame) -> Orientation | None:
    try:
        matrix = next(
            (
                bytes(each)
                for each in cast("Iterable[SideData]", frame.side_data)
                if each.type.name == "DISPLAYMATRIX"
            ),
            b"",
        )
    except ValueError:  # PyAV 18.1 does not know all kinds of FFmpeg 8.1, and then gives none
        return _TURNED.get(round(frame.rotation / 90) % 4)
    if len(matrix) != _MATRIX.size:
        return None
    # Where a step right and a step down lead.
    right_x, right_y, _, down_x, down_y, *_ = _MATRIX.unpack(matrix)
    if max(abs(right_x), abs(down_y)) >= max(abs(right_y), abs(down_x)):
        return Orientation(left_right=right_x < 0, top_bottom=down_y < 0)
    return Orientation(transposed=True, left_right=down_x < 0, top_bottom=right_y < 0)


_TURNED = {  # quarter turns, anticlockwise
    1: Orientation(transposed=True, top_bottom=True),
    2: Orientation(left_right=True, top_bottom=True),
    3: Orientation(transposed=True, left_right=True),
}
