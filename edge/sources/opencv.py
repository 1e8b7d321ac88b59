"""How OpenCV opens and reads a webcam, and how its arrays become pictures."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

import cv2

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_AV_LOG_QUIET = "-8"


def quiet_opencv() -> None:
    """Leave stderr to our own lines: OpenCV, and the FFmpeg that it brings, would add theirs.

    A user who sets OPENCV_FFMPEG_LOGLEVEL or OPENCV_LOG_LEVEL gets what they ask for.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", _AV_LOG_QUIET)  # read by OpenCV at its first video
    levels = cv2.utils.logging
    if levels.getLogLevel() == levels.LOG_LEVEL_WARNING:  # OpenCV's default
        levels.setLogLevel(levels.LOG_LEVEL_SILENT)


def open_capture(device: str, backend: int) -> cv2.VideoCapture:
    """Open a device. May block; if it cannot be opened, the capture gives no frames."""
    quiet_opencv()
    return cv2.VideoCapture(device, backend)


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
