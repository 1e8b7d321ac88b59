"""Any pixel format to blue, green, red, by the marks that the stream has of its colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from edge.sources.base import Picture


class ToBgr:
    """Converts frame after frame, of any size and format."""

    def __init__(self, name: str) -> None:
        from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

        self._name = name
        self._reformatter = VideoReformatter()
        self._smooth = Interpolation.BICUBIC.value
        self._full = ColorRange.JPEG.value

    def __call__(self, frame: VideoFrame, size: tuple[int, int]) -> Picture:
        """(H, W, 3) uint8 BGR, C-contiguous, `size` being (W, H)."""
        width, height = size
        converted = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="bgr24",
            interpolation=self._smooth,
            dst_color_range=self._full,
            threads=1,
        )
        plane = converted.planes[0]
        padded = np.ndarray((height, width, 3), np.uint8, plane, strides=(plane.line_size, 3, 1))
        return np.ascontiguousarray(padded)
