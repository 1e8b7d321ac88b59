"""The shape of a stream's pixels, which may change in the middle."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

    from av.video.stream import VideoStream


class Aspects:
    """How many times as wide as high the pixels are, picture for picture.

    PyAV does not tell it of a frame, but of the decoder, which knows it before the picture comes. The container's word goes before the stream's own, as in FFmpeg's and other players.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._context = stream.codec_context
        self._own = self._context.sample_aspect_ratio
        self._now = stream.sample_aspect_ratio
        self._fixed = self._now != self._own
        self._next: Fraction | None = None
        self._from: int | None = None

    def look(self, pts: int | None) -> None:
        """See what the decoder found in the packet of the picture at `pts`."""
        found = self._context.sample_aspect_ratio
        if found == self._own or self._fixed:
            return
        if self._from is not None:
            self._now = self._next
        self._own = self._next = found
        self._from = pts
        if pts is None:
            self._now = found

    def at(self, pts: int | None) -> Fraction | None:
        """The aspect of the picture at `pts`: those before the change may come after it was seen."""
        if self._from is not None and (pts is None or pts >= self._from):
            self._now, self._from = self._next, None
        return self._now
