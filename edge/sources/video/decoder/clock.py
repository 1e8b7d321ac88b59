"""When each picture of a stream is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


class Clock:
    """The times of pictures, in ticks of the stream; one that has none comes as long after the one before as that was shown."""

    def __init__(self, stream: VideoStream) -> None:
        rate = stream.guessed_rate
        self._usual = round(1 / (rate * stream.time_base)) if rate and stream.time_base else 0
        self._next: int | None = None

    def time_of(self, frame: VideoFrame) -> int | None:
        """When the next frame in the order of showing is shown; None if the stream has told no time yet."""
        pts = frame.pts
        if pts is None:
            pts = self._next if self._next is not None else frame.dts
        if pts is not None:
            self._next = pts + (frame.duration or self._usual)
        return pts
