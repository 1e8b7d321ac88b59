"""Sources that wait for their reader: a video file, a folder of pictures. Every frame is given, in order.

Also how OpenCV is told to read a video, which live sources need as well.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

import cv2

from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
_AV_LOG_QUIET = "-8"


def quiet_opencv() -> None:
    """Leave stderr to our own lines: OpenCV and FFmpeg would add theirs, some with the URL's password.

    A user who sets OPENCV_FFMPEG_LOGLEVEL or OPENCV_LOG_LEVEL gets what they ask for.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", _AV_LOG_QUIET)  # read by OpenCV at its first video
    levels = cv2.utils.logging
    if levels.getLogLevel() == levels.LOG_LEVEL_WARNING:  # OpenCV's default
        levels.setLogLevel(levels.LOG_LEVEL_SILENT)


def open_capture(target: str, backend: int, parameters: Sequence[int] = ()) -> cv2.VideoCapture:
    """Open a file, a URL or a device. May block; if it cannot be opened, the capture gives no frames."""
    quiet_opencv()
    # FFmpeg reads one UDP datagram after another and calls a lost one a broken picture: TCP unless told
    # otherwise. Only this form works: `rtsp_flags;tcp` is refused before the first byte is sent.
    os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
    return cv2.VideoCapture(target, backend, list(parameters))


def read_frame(capture: cv2.VideoCapture) -> NDArray[np.uint8] | None:
    """The next frame, (H, W, 3) uint8 BGR, or None if there is none. May block."""
    ok, frame = capture.read()
    return to_bgr(cast("NDArray[np.uint8]", frame)) if ok else None


def to_bgr(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8 -> (H, W, 3) uint8 BGR; three channels are not copied."""
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    if channels == 3:
        return picture
    code = cv2.COLOR_GRAY2BGR if channels == 1 else cv2.COLOR_BGRA2BGR
    return cast("NDArray[np.uint8]", cv2.cvtColor(picture, code))


def recording(spec: str) -> VideoFile | Pictures:
    """The source at the path `spec`. Raises SourceError if that is neither a file nor a folder."""
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
        _refuse_unreadable(self._path)
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

    def read(self) -> NDArray[np.uint8] | None:
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

    A picture that cannot be read is left out with a warning and counted in `skipped`.
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

    def read(self) -> NDArray[np.uint8] | None:
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


def _read_picture(path: Path) -> NDArray[np.uint8] | None:
    try:
        # This turns pictures upright, and makes BGR of grey and alpha.
        return cast("NDArray[np.uint8] | None", cv2.imread(str(path), cv2.IMREAD_COLOR))
    except cv2.error:  # more pixels than OpenCV accepts
        return None
