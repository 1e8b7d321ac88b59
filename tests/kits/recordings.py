"""What cameras have coded themselves."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
from kits.videos import moving

from edge.sources.files.video_file import VideoFile

if TYPE_CHECKING:
    from pathlib import Path

    from edge.sources.base import Shot

COUNT, EVERY = 12, 5
ENCODERS = {"h264": "libx264", "h265": "libx265"}
LOW_DELAY = {
    "h264": {"tune": "zerolatency", "x264-params": f"keyint={EVERY}:scenecut=0"},
    "h265": {
        "tune": "zerolatency",
        "x265-params": f"keyint={EVERY}:min-keyint={EVERY}:scenecut=0:open-gop=0:log-level=none",
    },
}


def recorded(
    path: Path, name: str, options: dict[str, str], size: tuple[int, int] = (96, 128), frames: int = 0
) -> list[Shot]:
    """A camera's recording, and what a source reads of it."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(ENCODERS[name], rate=10, options=options)
        stream.height, stream.width = size
        stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, 10)
        stream.max_b_frames = frames
        for picture in moving(COUNT, *size):
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    source = VideoFile(path)
    source.open()
    shots = []
    while (shot := source.read()) is not None:
        shots.append(shot)
    source.close()
    assert len(shots) == COUNT
    return shots
