"""Decoded frames into the pictures that a player shows: deinterlaced, in colour, square pixels, upright."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.sources.video.colour import ToBgr
from edge.sources.video.geometry import orientation, shown_size
from edge.sources.video.interlace import Deinterlacer

if TYPE_CHECKING:
    from fractions import Fraction

    from edge.sources.base import Picture
    from edge.sources.video.decoding import Decoded


class Rendering:
    """What the container and the stream say of the pictures, applied to them one after another."""

    def __init__(self, time_base: Fraction, name: str) -> None:
        self._to_bgr = ToBgr(name)
        self._deinterlacer = Deinterlacer(time_base)

    def draw(self, decoded: Decoded) -> list[tuple[Decoded, Picture]]:
        """The pictures that are ready now; an interlaced one waits for the next frame."""
        return [(each, self._picture(each)) for each in self._deinterlacer.put(decoded)]

    def rest(self) -> list[tuple[Decoded, Picture]]:
        """The picture that still waits, if any."""
        return [(each, self._picture(each)) for each in self._deinterlacer.rest()]

    def _picture(self, decoded: Decoded) -> Picture:
        frame = decoded.frame
        size = shown_size(frame.width, frame.height, decoded.aspect)
        return orientation(frame).upright(self._to_bgr(frame, size))
