"""What ffmpeg, the program, shows of a file: its pictures and when each is."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from kits.ffmpeg import ffmpeg

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A player's picture: the shorter side of a pixel enlarged to the longer one.
SQUARE = "scale=w='if(gt(sar,1),round(iw*sar),iw)':h='if(gt(sar,0)*lt(sar,1),round(ih/sar),ih)':flags=bicubic"
DEINTERLACED = "bwdif=mode=send_frame:deint=interlaced"
_HEAD = re.compile(rb"P6\s(\d+)\s(\d+)\s255\s")


@dataclass(frozen=True, eq=False)
class Seen:
    """One frame as it should be."""

    picture: NDArray[np.uint8]
    time_s: float | None = None


def shown(path: Path, *, interlaced: bool = False, stream: str = "V:0", turned: str = "") -> list[Seen]:
    """Every frame of a video: turned upright, its pixels square, and deinterlaced if that is said and a frame marked.

    `turned` is the filter that turns a frame after it was deinterlaced, as ffmpeg itself does it before.
    """
    filters = ",".join([DEINTERLACED] * interlaced + [turned] * bool(turned) + [SQUARE])
    with tempfile.TemporaryDirectory() as folder:
        times = Path(folder) / "times"
        written = ffmpeg(
            *(["-noautorotate"] if turned else []), "-i", path, "-map", f"0:{stream}", "-fps_mode", "passthrough", "-noautoscale",
            "-vf", filters, "-pix_fmt", "rgb24", "-c:v", "ppm",
            "-stats_enc_pre", times, "-enc_time_base", "1/1000000", "-stats_enc_pre_fmt", "{t}", "-f", "image2pipe", "-",
        )  # fmt: skip
        found = [float(each) for each in times.read_text().split()]
    pictures = portable(written)
    assert len(found) == len(pictures), f"{path.name}: {len(found)} times for {len(pictures)} pictures"
    return [Seen(picture, time) for picture, time in zip(pictures, found, strict=True)]


def portable(data: bytes) -> list[NDArray[np.uint8]]:
    """The pictures of a row of PPM files, as BGR."""
    pictures, at = [], 0
    while head := _HEAD.match(data, at):
        width, height = int(head[1]), int(head[2])
        start, at = head.end(), head.end() + width * height * 3
        pixels = np.frombuffer(data, np.uint8, width * height * 3, start)
        pictures.append(np.ascontiguousarray(pixels.reshape(height, width, 3)[..., ::-1]))
    assert at == len(data), "no PPM"
    return pictures
