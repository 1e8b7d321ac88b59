"""Sources that wait for their reader: a video file, a folder of pictures. Every frame is given, in order."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

import cv2

from edge.sources.opencv import open_capture, quiet_opencv, read_frame
from shared.errors import SourceError

if TYPE_CHECKING:
    from edge.sources.opencv import Picture

_log = logging.getLogger(__name__)

PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


def recording(spec: str) -> VideoFile | Pictures:
    """What lies at the path `spec`. Raises SourceError if nothing does, or neither a file nor a folder."""
    path = Path(spec)
    try:
        path.stat()
    except OSError as error:
        raise SourceError(
            f"{spec}: {error.strerror}; a source is a video, a folder, a camera or a URL"
        ) from None
    if path.is_dir() or path.suffix.lower() in PICTURES:
        return Pictures(path)
    if not path.is_file():
        raise SourceError(f"{spec}: neither a file nor a folder; a camera is written 0 or /dev/video0")
    return VideoFile(path)


class VideoFile:
    """A video, turned upright by OpenCV where the file says how it was held."""

    live = False

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._capture: cv2.VideoCapture | None = None
        self._next: Picture | None = None
        self._given = 0

    def open(self) -> None:
        """Read the first frame ahead, so that a file without any is an error now. Raises SourceError."""
        self.close()
        _refuse_unreadable(self._path)
        # Absolute, because FFmpeg takes what stands before a colon for a protocol.
        # FFmpeg would take as many threads as the host has cores, not the container.
        threads = [cv2.CAP_PROP_N_THREADS, cv2.getNumThreads()]
        capture = open_capture(str(self._path.absolute()), cv2.CAP_FFMPEG, threads)
        self._next = read_frame(capture)
        if self._next is None:
            capture.release()
            raise SourceError(f"{self.name}: not a video that OpenCV can decode, or one without frames")
        self._capture = capture
        self._given = 0

    def read(self) -> Picture | None:
        """(H, W, 3) uint8 BGR; None at the end."""
        if self._capture is None or self._next is None:
            return None
        picture, self._next = self._next, read_frame(self._capture)
        self._given += 1
        if self._next is None:
            self._warn_if_short(int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        return picture

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


class Pictures:
    """The pictures of a folder (not below it), sorted by name; or a single one.

    One that cannot be read is left out, with a warning, and counted in `skipped`.
    """

    live = False

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self.skipped = 0
        self._path = path
        self._left: list[Path] = []  # the next one last
        self._given = 0

    def open(self) -> None:
        """List the pictures. Raises SourceError if there are none."""
        quiet_opencv()
        _refuse_unreadable(self._path)
        paths = list(self._path.iterdir()) if self._path.is_dir() else [self._path]
        self._left = sorted(
            (path for path in paths if path.suffix.lower() in PICTURES and not path.name.startswith(".")),
            reverse=True,
        )
        if not self._left:
            raise SourceError(
                f"{self.name}: no pictures in this folder; read are {', '.join(sorted(PICTURES))}"
            )
        self.skipped = self._given = 0

    def read(self) -> Picture | None:
        """(H, W, 3) uint8 BGR; None at the end. Raises SourceError there if none could be read."""
        while self._left:
            path = self._left.pop()
            picture = _read_picture(path)
            if picture is not None:
                self._given += 1
                return picture
            self.skipped += 1
            _log.warning("%s: not a readable picture, left out", path)
        if self.skipped and not self._given:
            raise SourceError(f"{self.name}: none of its {self.skipped} pictures can be read")
        return None

    def close(self) -> None:
        self._left = []


def _refuse_unreadable(path: Path) -> None:
    if not os.access(path, os.R_OK):
        raise SourceError(f"{path}: user {os.getuid()} may not read it")


def _read_picture(path: Path) -> Picture | None:
    try:
        # Upright, grey and alpha made BGR.
        return cast("Picture | None", cv2.imread(str(path), cv2.IMREAD_COLOR))
    except cv2.error:  # more pixels than OpenCV takes
        return None
