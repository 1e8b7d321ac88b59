"""Single pictures as cameras send them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.sources.opencv import quiet_opencv

if TYPE_CHECKING:
    from edge.sources.base import Picture

MAX_STILL_BYTES = 64 << 20


def decoded(data: bytes) -> Picture | None:
    """The picture in `data`, turned as it says; None if it is none, or not whole."""
    quiet_opencv()
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return picture  # type: ignore[return-value]
