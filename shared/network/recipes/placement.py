"""Where a camera's picture comes to lie in the network's input: how it is scaled, and what is cropped or padded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shared.limits import MAX_ASPECT

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Placement:
    """The rows and columns of the camera's picture that count, their size when scaled, and the network's window in that.

    Everything is in pixels, and rows come first. Where the window begins before the scaled picture or ends after it, there is
    padding.
    """

    top: int
    left: int
    height: int
    width: int
    """The part of the camera's picture: all of it, or the middle of one that is far longer than wide."""
    rows: int
    columns: int
    """The size to which that part is scaled."""
    first_row: int
    first_column: int
    """The scaled picture's pixel that is the first of the network's input; negative: so much padding comes before it."""

    def to_source(self, boxes: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, 4) corners x0, y0, x1, y1 in the network's input -> the same in the camera's picture, clipped to what counts."""
        corners = np.asarray(boxes, dtype=np.float64).reshape(-1, 2, 2)
        first = np.array([self.first_column, self.first_row])
        size = np.array([self.width, self.height])
        scaled = (corners + first) * (size / np.array([self.columns, self.rows]))
        found: NDArray[np.float64] = np.minimum(np.maximum(scaled, 0), size) + np.array([self.left, self.top])
        return found.reshape(-1, 4)


def cropped(source: tuple[int, int], window: tuple[int, int], shorter: int) -> Placement:
    """Scaled so that the picture covers `window` with its shorter side made `shorter`; the window is its middle.

    `source` and `window` are (height, width). For a square window that is torchvision's resize and centre crop to the pixel:
    the longer side is rounded down, the window's place to the nearest even pixel. A `shorter` below the window's own shorter
    side leaves padding.
    """
    top, left, height, width = _middle(source)
    least = min(window)
    box_rows, box_columns = (round(shorter * side / least) for side in window)
    if height * box_columns <= width * box_rows:
        rows, columns = box_rows, max(1, box_rows * width // height)
    else:
        rows, columns = max(1, box_columns * height // width), box_columns
    return Placement(
        top, left, height, width, rows, columns, _centred(rows, window[0]), _centred(columns, window[1])
    )


def stretched(source: tuple[int, int], window: tuple[int, int]) -> Placement:
    """Scaled to the window's size, whatever that does to the aspect."""
    return Placement(*_middle(source), *window, 0, 0)


def letterboxed(source: tuple[int, int], window: tuple[int, int]) -> Placement:
    """Scaled until one side fills the window, the other side padded equally; an odd pixel of padding comes last.

    As YOLO's letterbox does it: the sides are rounded to the nearest pixel, halves to even.
    """
    top, left, height, width = _middle(source)
    scale = min(window[0] / height, window[1] / width)
    rows, columns = (max(1, round(side * scale)) for side in (height, width))
    return Placement(
        top, left, height, width, rows, columns, -((window[0] - rows) // 2), -((window[1] - columns) // 2)
    )


def _centred(length: int, window: int) -> int:
    """Where torchvision's centre crop begins; where there is too little, it pads before this, half of it rounded down."""
    return round((length - window) / 2) if length >= window else -((window - length) // 2)


def _middle(source: tuple[int, int]) -> tuple[int, int, int, int]:
    """(top, left, height, width) of the whole picture, or of the middle of one that is far longer than wide.

    The network sees no more of it, and a picture of a single row, scaled as a whole, would become gigabytes.
    """
    longest = MAX_ASPECT * min(source)
    height, width = (min(side, longest) for side in source)
    return (source[0] - height) // 2, (source[1] - width) // 2, height, width
