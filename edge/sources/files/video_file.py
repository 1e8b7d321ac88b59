"""A video in a file, every frame of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import cv2

from edge.sources.base import Shot
from edge.sources.files.readable import refuse_unreadable
from edge.sources.opencv import open_capture, read_frame
from shared.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)


class VideoFile:
    """A video, turned upright by OpenCV if the file says how the camera was held."""

    live = False

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._capture: cv2.VideoCapture | None = None
        self._next: NDArray[np.uint8] | None = None
        self._given = 0

    def open(self) -> None:
        """Read the first frame ahead, so that a file without any is an error now. Raises SourceError."""
        self.close()
        refuse_unreadable(self._path)
        # An absolute path, because FFmpeg takes anything before a colon for a protocol. By default it starts as many threads
        # as the host has cores, not the container.
        threads = [cv2.CAP_PROP_N_THREADS, cv2.getNumThreads()]
        capture = open_capture(str(self._path.absolute()), cv2.CAP_FFMPEG, threads)
        self._next = read_frame(capture)
        if self._next is None:
            capture.release()
            raise SourceError(f"{self.name}: not a video that OpenCV can decode, or one without frames")
        self._capture = capture
        self._given = 0

    def read(self) -> Shot | None:
        """The next frame; None at the end."""
        if self._capture is None or self._next is None:
            return None
        shot = Shot(self._next, self._given)
        self._next = read_frame(self._capture)
        self._given += 1
        if self._next is None:
            self._warn_if_short(int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        return shot

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = self._next = None

    def _warn_if_short(self, announced: int) -> None:
        if self._given < announced:
            _log.warning(
                "%s: %d of %d announced frames could be decoded; the file may be truncated",
                self.name,
                self._given,
                announced,
            )
