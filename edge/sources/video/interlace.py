"""Interlaced frames into whole pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.video.stream import VideoStream

    from edge.sources.video.decoding import Decoded


class Deinterlacer:
    def __init__(self, stream: VideoStream) -> None:
        self._stream = stream

    def put(self, decoded: Decoded) -> list[Decoded]:
        return [decoded]

    def rest(self) -> list[Decoded]:
        return []
