"""Decoded frames into the pictures that a player shows: deinterlaced, in colour, square pixels, upright."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.sources.video.colour import ToBgr
from edge.sources.video.geometry import shown_size, upright
from edge.sources.video.interlace import Deinterlacer

if TYPE_CHECKING:
    from av.video.stream import VideoStream

    from edge.sources.base import Picture
    from edge.sources.video.decoding import Decoded


class Rendering:
    """What the container and the stream say of the pictures, applied to them one after another."""

    def __init__(self, stream: VideoStream, name: str) -> None:
        self._stream = stream
        self._to_bgr = ToBgr(name)
        self._deinterlacer = Deinterlacer(stream)

    def draw(self, decoded: Decoded) -> list[tuple[Decoded, Picture]]:
        """The pictures that are ready now; an interlaced one waits for the next frame."""
        return [(each, self._picture(each)) for each in self._deinterlacer.put(decoded)]

    def rest(self) -> list[tuple[Decoded, Picture]]:
        """The picture that still waits, if any."""
        return [(each, self._picture(each)) for each in self._deinterlacer.rest()]

    def _picture(self, decoded: Decoded) -> Picture:
        frame = decoded.frame
        size = shown_size(frame.width, frame.height, self._stream.sample_aspect_ratio)
        return upright(self._to_bgr(frame, size), frame)
