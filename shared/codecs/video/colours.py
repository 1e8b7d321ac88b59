"""RGB to 4:2:0 and back, by FFmpeg's filter `scale`: the same bits on every processor.

What is encoded here is BT.601, limited range, colours between every second column and row as in H.264's default (left). What is decoded
is read as its own headers say; what they do not say is BT.601 and limited range. Each value of colour is interpolated (bicubic), in both
directions: a picture comes back 4 dB nearer than by FFmpeg's quicker way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame

from shared.codecs.video.kinds import coded_size
from shared.errors import ContentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMATS = ("yuv420p", "yuvj420p")
"""Those of 8 bits and 4:2:0; the second is FFmpeg's name for the full range."""
_TICK = "1/1000"
_EXACT = "bicubic+accurate_rnd+bitexact"
_UNMARKED, _BT601, _LIMITED = 2, 5, 1  # ISO/IEC 23091-2: matrix coefficients; FFmpeg's ranges


class ToYuv:
    """Pictures of one shape to what an encoder takes: its rows and columns made even, the last one repeated."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        """`shape` is (H, W, 3)."""
        self._height, self._width = coded_size(shape)
        self._graph = Graph()
        self._graph.threads = 1
        chain = (
            self._graph.add(
                "buffer", video_size=f"{self._width}x{self._height}", pix_fmt="rgb24", time_base=_TICK
            ),
            self._graph.add("scale", f"flags={_EXACT}+full_chroma_inp:out_color_matrix=bt601:out_range=tv"),
            self._graph.add("format", "yuv420p"),
            self._graph.add("buffersink"),
        )
        self._graph.link_nodes(*chain)
        self._graph.configure()
        self._number = 0

    def __call__(self, picture: NDArray[np.uint8]) -> VideoFrame:
        """(H, W, 3) uint8 RGB to 4:2:0."""
        height, width = picture.shape[:2]
        if (height, width) != (self._height, self._width):
            picture = np.pad(
                picture, ((0, self._height - height), (0, self._width - width), (0, 0)), mode="edge"
            )
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
        frame.pts = self._number
        self._number += 1
        self._graph.vpush(frame)
        return self._graph.vpull()


class ToRgb:
    """Decoded frames to pictures."""

    def __init__(self) -> None:
        self._made_for: tuple[object, ...] = ()
        self._graph = Graph()

    def __call__(self, frame: VideoFrame, shape: tuple[int, ...], name: str) -> NDArray[np.uint8]:
        """A frame of `coded_size(shape)` to `shape`, (H, W, 3) uint8 RGB. Raises ContentError for another format or size."""
        if (frame.height, frame.width) != coded_size(shape) or frame.format.name not in FORMATS:
            raise ContentError(
                f"the {name} picture is {frame.height} x {frame.width}, {frame.format.name}; the frame says {shape}, coded as "
                f"{' x '.join(map(str, coded_size(shape)))}, {FORMATS[0]}"
            )
        made_for = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range)
        if made_for != self._made_for:
            self._graph, self._made_for = self._made(frame), made_for
        self._graph.vpush(frame)
        converted = self._graph.vpull()
        plane = converted.planes[0]
        whole = np.ndarray(
            (frame.height, frame.width, 3), np.uint8, memoryview(plane), strides=(plane.line_size, 3, 1)
        )
        return np.ascontiguousarray(whole[: shape[0], : shape[1]])

    def _made(self, frame: VideoFrame) -> Graph:
        graph = Graph()
        graph.threads = 1
        matrix = int(frame.colorspace)
        chain = (
            graph.add(
                "buffer",
                video_size=f"{frame.width}x{frame.height}",
                pix_fmt=frame.format.name,
                time_base=_TICK,
                colorspace=str(_BT601 if matrix == _UNMARKED else matrix),
                range=str(int(frame.color_range) or _LIMITED),
            ),
            graph.add("scale", f"flags={_EXACT}+full_chroma_int"),
            graph.add("format", "rgb24"),
            graph.add("buffersink"),
        )
        graph.link_nodes(*chain)
        graph.configure()
        return graph
