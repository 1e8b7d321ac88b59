"""A camera of this machine."""

from __future__ import annotations

import os
from pathlib import Path

import cv2

from edge.sources.live.capture import LiveCapture
from shared.errors import SourceError, UnusableSourceError


class Webcam(LiveCapture):
    """A camera of this machine, by number or by device."""

    def __init__(self, spec: str, *, open_timeout_s: float, read_timeout_s: float) -> None:
        device = f"/dev/video{spec}" if spec.isdigit() else spec
        super().__init__(
            device,
            device,
            cv2.CAP_V4L2,
            [],  # V4L2 has no time limits to set
            advice="is it a camera, and not in use by another program?",
            open_timeout_s=open_timeout_s,
            read_timeout_s=read_timeout_s,
        )

    def open(self) -> None:
        """Check that the device exists and may be used, then open it as LiveCapture does."""
        device = Path(self.name)
        if not device.exists():
            present = ", ".join(sorted(map(str, Path("/dev").glob("video*")))) or "none"
            raise SourceError(
                f"no camera {self.name}; here: {present} (a container must be given the device)"
            )
        if not os.access(device, os.R_OK | os.W_OK):
            group = device.stat().st_gid
            raise UnusableSourceError(
                f"{self.name}: user {os.getuid()} may not use it; join group {group} "
                f"(in Docker: `--group-add {group}` or `group_add`)"
            )
        super().open()
