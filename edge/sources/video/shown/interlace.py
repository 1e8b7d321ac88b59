"""Interlaced frames into whole pictures.

An interlaced frame holds two moments, in its even and in its odd lines. Seen as one picture, what moves is torn into combs, and a
network takes the combs for a texture. FFmpeg's filter bwdif (https://ffmpeg.org/ffmpeg-filters.html#bwdif) keeps the first
moment and makes up the lines between from their neighbours in the picture, in the frame before and in the one after.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import av
from av.filter import Graph

if TYPE_CHECKING:
    from fractions import Fraction

    from av.video.frame import VideoFrame

    from edge.sources.video.decoder.decoding import Decoded

_PROGRESSIVE_RUN = 50
"""So many frames that are not interlaced end the filtering: films that were made into television mix both all the time."""
_LEAST_WIDTH, _LEAST_HEIGHT = 3, 4  # of a plane; bwdif refuses less


class Deinterlacer:
    """Passes frames on as they are until one is marked interlaced, and from there through the filter, which changes marked ones only.

    One picture comes out for each that goes in. The filter waits for the frame after, so a live source lags by one frame,
    as long as it is interlaced.
    """

    def __init__(self, time_base: Fraction) -> None:
        self._time_base = time_base
        self._graph: Graph | None = None
        self._shape: tuple[object, ...] = ()
        self._inside: deque[Decoded | None] = deque()  # None: for the filter alone
        self._first: Decoded | None = (
            None  # an interlaced one with none before it, which waits for the one after
        )
        self._before: VideoFrame | None = None
        self._progressive = 0

    def put(self, decoded: Decoded) -> list[Decoded]:
        """What is ready after another frame came."""
        frame = decoded.frame
        interlaced = frame.interlaced_frame and _is_large_enough(frame)
        self._progressive = 0 if interlaced else self._progressive + 1
        ready = self._begun(frame)
        if self._graph is not None and (_shape(frame) != self._shape or self._progressive > _PROGRESSIVE_RUN):
            ready += self.rest()
        before, self._before = self._before, frame
        if self._graph is None:
            if not interlaced:
                return [*ready, decoded]
            if before is None or _shape(before) != _shape(frame):
                self._first = decoded
                return ready
            self._start(before)
        return ready + self._pushed(decoded)

    def rest(self) -> list[Decoded]:
        """What still waits for a frame after it, at the end."""
        ready = [] if self._first is None else self._begun(self._first.frame)
        graph, self._graph = self._graph, None
        if graph is not None:
            graph.push(None)
            ready += self._pulled(graph)
        return ready

    def _begun(self, frame: VideoFrame) -> list[Decoded]:
        """Filter the first one, now that `frame` came after it."""
        first, self._first = self._first, None
        if first is None:
            return []
        self._start(frame if _shape(frame) == _shape(first.frame) else first.frame)
        return self._pushed(first)

    def _start(self, before: VideoFrame) -> None:
        """Make a graph that has seen the frame `before`.

        Without one before, bwdif (FFmpeg 5.1 to 9.0) fills the uppermost lines from the memory above the picture. The frame after
        does as well: it shows as much of what moves.
        """
        graph = Graph()
        graph.threads = 1
        source = graph.add(
            "buffer",
            video_size=f"{before.width}x{before.height}",
            pix_fmt=before.format.name,
            time_base=str(self._time_base),
            colorspace=str(int(before.colorspace)),
            range=str(int(before.color_range)),
        )
        bwdif = graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced")
        graph.link_nodes(source, bwdif, graph.add("buffersink"))
        graph.configure()
        graph.push(before)
        self._graph, self._shape = graph, _shape(before)
        self._inside.append(None)

    def _pushed(self, decoded: Decoded) -> list[Decoded]:
        graph = self._graph
        if graph is None:
            return [decoded]
        self._inside.append(decoded)
        graph.push(decoded.frame)
        return self._pulled(graph)

    def _pulled(self, graph: Graph) -> list[Decoded]:
        ready = []
        while self._inside:
            try:
                whole = graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                break
            decoded = self._inside.popleft()
            if decoded is not None:
                ready.append(replace(decoded, frame=whole))
        return ready


def _shape(frame: VideoFrame) -> tuple[object, ...]:
    """What the filter cannot change in the middle."""
    return frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range


def _is_large_enough(frame: VideoFrame) -> bool:
    return all(
        part.width >= _LEAST_WIDTH and part.height >= _LEAST_HEIGHT for part in frame.format.components
    )
