"""The shape of a stream's pixels, which may change in the middle."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

    from av.video.stream import VideoStream

_MOST_CHANGES = 64  # between what was decoded and what was shown


class Aspects:
    """How many times as wide as high the pixels are, picture for picture.

    PyAV does not tell it of a frame, but of the decoder, which knows it before the picture comes. The container's word goes before the
    stream's own, as in FFmpeg's and other players.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._context = stream.codec_context
        self._told = self._context.sample_aspect_ratio
        self._now = stream.sample_aspect_ratio
        self._container_tells = self._now != self._told
        self._changes: deque[tuple[int, Fraction | None]] = deque(maxlen=_MOST_CHANGES)

    def look(self, packet: int) -> None:
        """See what the decoder found in this packet, a key frame's, by its number."""
        found = self._context.sample_aspect_ratio
        if found != self._told and not self._container_tells:
            self._told = found
            self._changes.append((packet, found))

    def at(self, packet: int) -> Fraction | None:
        """The aspect of the picture of this packet; None if nothing tells it."""
        while self._changes and self._changes[0][0] <= packet:
            _, self._now = self._changes.popleft()
        return self._now
