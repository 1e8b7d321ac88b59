"""Decoded frames into the pictures that a player shows: deinterlaced, in colour, square pixels, upright."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.sources.video.shown.bare import Bare
from edge.sources.video.shown.colour import ToBgr
from edge.sources.video.shown.geometry import AS_STORED, Orientations, shown_size
from edge.sources.video.shown.interlace import Deinterlacer

if TYPE_CHECKING:
    from fractions import Fraction

    from edge.sources.base import Picture
    from edge.sources.video.decoder.decoding import Decoded


class Rendering:
    """What the container and the stream say of the pictures, applied to them one after another."""

    def __init__(self, time_base: Fraction, name: str) -> None:
        self._to_bgr = ToBgr(time_base, name)
        self._orientations = Orientations(Bare())
        self._deinterlacer = Deinterlacer(time_base)

    def whole(self, decoded: Decoded) -> list[Decoded]:
        """The frames that are ready now, none of them interlaced: such a one waits for the next frame."""
        return self._deinterlacer.put(decoded)

    def rest(self) -> list[Decoded]:
        """The frames that still wait, at the end."""
        return self._deinterlacer.rest()

    def picture(self, decoded: Decoded) -> tuple[Picture, bool]:
        """(H, W, 3) uint8 BGR, C-contiguous; and whether it is turned or scaled."""
        frame = decoded.frame
        size = shown_size(frame.width, frame.height, decoded.aspect)
        orientation = self._orientations.of(frame)
        changed = orientation != AS_STORED or size != (frame.width, frame.height)
        return orientation.upright(self._to_bgr(frame, size)), changed
