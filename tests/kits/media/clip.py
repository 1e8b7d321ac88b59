"""The clip that every video of the table shows: smooth, colourful, without symmetry, and another in every frame.

Smooth, so that two ways to enlarge a picture or its colours agree within rounding; the rest so that a wrong matrix, range, side
or frame does not.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TURN = 2 * math.pi
# Waves over the width, over the height, and a frame: for blue, green and red.
WAVES = ((0.25, -0.20, 0.17), (-0.12, 0.30, 0.11), (0.36, 0.08, 0.13))


def frame(width: int, height: int, at: float) -> NDArray[np.uint8]:
    """The picture at this time, in frames: (height, width, 3) uint8, blue, green, red, 0 … 255."""
    across = np.linspace(0.0, 1.0, width)[None, :]
    down = np.linspace(0.0, 1.0, height)[:, None]
    waves = [np.sin(TURN * (x * across + y * down + t * at) + index) for index, (x, y, t) in enumerate(WAVES)]
    return np.rint(127.5 + 127.5 * np.stack(waves, axis=2)).astype(np.uint8)


@cache
def raw(size: str, frames: int) -> bytes:
    """The clip as raw BGR, of this size, as `160x120`."""
    width, height = (int(each) for each in size.split("x"))
    return b"".join(frame(width, height, at).tobytes() for at in range(frames))


def given(size: str, rate: str) -> list[str]:
    """Arguments with which ffmpeg takes it from its standard input."""
    return ["-f", "rawvideo", "-pix_fmt", "bgr24", "-s", size, "-r", rate, "-i", "-"]
