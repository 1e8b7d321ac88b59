"""FFmpeg's decoder of JPEGs, told to fail where it would make up what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


class StrictDecoder:
    """One thread uses it. After an error it is not to be used again."""

    def __init__(self, **options: str) -> None:
        """`options`: FFmpeg's own, besides."""
        self._context = av.CodecContext.create("mjpeg", "r")
        self._context.options = {"err_detect": "explode"} | options
        self._context.thread_count = 1

    def decode(self, data: bytes, *, last: bool = False) -> list[VideoFrame]:
        """The pictures of `data`; of one that is the `last`, also what still waits. Raises av.error.FFmpegError."""
        with av.logging.Capture():  # or others would take its complaints for those about their pictures
            frames = self._context.decode(av.Packet(data))
            return frames + self._context.decode(None) if last else frames
