"""Frames without their pictures, for what is told beside the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
from av.video.reformatter import Interpolation, VideoReformatter

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


class Bare:
    """Makes of each frame one that is told the same and has a few pixels only.

    PyAV 18.1 makes a cycle of a frame and its side data, which keeps the frame until Python looks for cycles: by then that are dozens
    of whole pictures.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        """The frame itself, if FFmpeg cannot convert its format."""
        try:
            return self._reformatter.reformat(
                frame, width=8, height=8, format="gray", interpolation=Interpolation.POINT
            )
        except (av.error.FFmpegError, ValueError):
            return frame
