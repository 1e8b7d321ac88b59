"""A camera of this machine."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from edge.sources.base import Shot
from edge.sources.live.capture import LiveCapture
from edge.sources.opencv import open_capture, read_frame
from shared.errors import SourceError, UnusableSourceError

if TYPE_CHECKING:
    from collections.abc import Callable


class Webcam(LiveCapture):
    """A camera of this machine, by number or by device."""

    def __init__(
        self,
        spec: str,
        *,
        open_timeout_s: float,
        read_timeout_s: float,
        on_undecodable: Callable[[], None] = lambda: None,
    ) -> None:
        device = f"/dev/video{spec}" if spec.isdigit() else spec
        super().__init__(
            device,
            lambda _left_out: _DeviceFeed(device),  # V4L2 says nothing of what could not be decoded
            advice="is it a camera, and not in use by another program?",
            open_timeout_s=open_timeout_s,
            read_timeout_s=read_timeout_s,
            on_undecodable=on_undecodable,
        )

    def open(self) -> None:
        """Check that the device exists and may be used, then open it as LiveCapture does.

        A camera that is not plugged in may come, so only what is no device, or may not be used, is an UnusableSourceError.
        """
        device = Path(self.name)
        if not device.exists():
            present = ", ".join(sorted(map(str, Path("/dev").glob("video*")))) or "none"
            raise SourceError(
                f"no camera {self.name}; here: {present} (a container must be given the device)"
            )
        if not stat.S_ISCHR(device.stat().st_mode):
            raise UnusableSourceError(f"{self.name}: is no device; a camera is one such as /dev/video0")
        if not os.access(device, os.R_OK | os.W_OK):
            group = device.stat().st_gid
            raise UnusableSourceError(
                f"{self.name}: user {os.getuid()} may not use it; join group {group} "
                f"(in Docker: `--group-add {group}` or `group_add`)"
            )
        super().open()


class _DeviceFeed:
    """V4L2 has no time limits, and nothing that ends a call which waits: the thread that hangs in it is abandoned."""

    pause_s = 0.0

    def __init__(self, device: str) -> None:
        self._device = device
        self._capture: cv2.VideoCapture | None = None
        self._given = 0

    def open(self) -> None:
        self._capture = open_capture(self._device, cv2.CAP_V4L2)

    def read(self) -> Shot | None:
        picture = None if self._capture is None else read_frame(self._capture)
        if picture is None:
            return None
        self._given += 1
        return Shot(picture, self._given - 1)

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()

    def interrupt(self) -> None:
        """Nothing: releasing what is being read would crash."""
