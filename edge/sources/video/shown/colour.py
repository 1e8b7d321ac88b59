"""Any pixel format to blue, green, red, by the marks that the stream has of its colours.

Matrix (BT.601, BT.709, BT.2020, SMPTE 240M, FCC) and range are the frame's own; what is not marked counts as BT.601 and limited range, as in
FFmpeg. Transparency is left out as in FFmpeg: what the file has under it is seen. Brightness is not mapped: pictures with a high
dynamic range (HDR: PQ, HLG) come out flat, and are said to be such.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import av
import numpy as np
from av.filter import Graph

from shared.errors import SourceError

if TYPE_CHECKING:
    from fractions import Fraction

    from av.video.frame import VideoFrame

    from edge.sources.base import Picture

_log = logging.getLogger(__name__)

_HIGH_RANGE = {
    16: "PQ (SMPTE ST 2084)",
    18: "HLG (ARIB STD-B67)",
}  # ISO/IEC 23091-2, transfer characteristics
_MATRICES = {
    8: "YCgCo",
    10: "BT.2020 constant luminance",
    11: "SMPTE ST 2085",
    14: "ICtCp",
}  # the same, matrix coefficients


class ToBgr:
    """Converts and scales frame after frame, of any size and format, by FFmpeg's filter `scale`.

    Unlike PyAV's `reformat`, it knows where the samples of colour lie between those of brightness.
    """

    def __init__(self, time_base: Fraction, name: str) -> None:
        self._time_base = time_base
        self._name = name
        self._made_for: tuple[object, ...] = ()
        self._graph = Graph()
        self._said = False

    def __call__(self, frame: VideoFrame, size: tuple[int, int]) -> Picture:
        """(H, W, 3) uint8 BGR, C-contiguous, `size` being (W, H). Raises SourceError for what cannot be converted."""
        width, height = size
        made_for = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range, size)
        try:
            if made_for != self._made_for:
                self._graph, self._made_for = self._made(frame, size), made_for
            self._graph.vpush(frame)
            converted = self._graph.vpull()
        except (av.error.FFmpegError, MemoryError) as error:
            self._made_for = ()
            matrix = _MATRICES.get(frame.colorspace, f"colour matrix {int(frame.colorspace)}")
            raise SourceError(
                f"{self._name}: pictures of {width} x {height}, {frame.format.name}, {matrix}, cannot be converted"
            ) from error
        plane = converted.planes[0]
        padded = np.ndarray((height, width, 3), np.uint8, memoryview(plane), strides=(plane.line_size, 3, 1))
        return np.ascontiguousarray(padded)

    def _made(self, frame: VideoFrame, size: tuple[int, int]) -> Graph:
        self._say_range(frame)
        width, height = size
        name = frame.format.name
        graph = Graph()
        graph.threads = 1
        entry = graph.add(
            "buffer",
            video_size=f"{frame.width}x{frame.height}",
            pix_fmt=name,
            time_base=str(self._time_base),
            colorspace=str(int(frame.colorspace)),
            range=str(int(frame.color_range)),
        )
        chain = [entry]
        if frame.format.is_big_endian:  # swscale of FFmpeg 8.1 takes some packed ones for little-endian
            chain += [graph.add("scale"), graph.add("format", f"{name.removesuffix('be')}le")]
        chain += [graph.add("scale", f"{width}:{height}:flags=bicubic"), graph.add("format", "bgr24")]
        graph.link_nodes(*chain, graph.add("buffersink"))
        graph.configure()
        return graph

    def _say_range(self, frame: VideoFrame) -> None:
        if frame.color_trc in _HIGH_RANGE and not self._said:
            self._said = True
            _log.warning(
                "%s: it is HDR, %s, which is not mapped to the range of a usual picture: what the network sees is flat",
                *(self._name, _HIGH_RANGE[frame.color_trc]),
            )
