"""Pictures of more than 8 bits a sample, as of thermal and machine-vision cameras, made into 8 bits."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.sources.pictures.unreadable import UnreadableError
from shared.codecs.pictures.depth import in_eight_bits, most_of, white_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)


class Depth:
    """White is 2**n - 1 for the least n of 8, 10, 12, 14 and 16 that holds all samples but 0.1 %; black is 0.

    So 12 bits in the lower part of 16 become as bright as 12 bits in the upper part. The 0.1 % are for pixels that are stuck.
    What is white belongs to the source, not to the picture: it only grows, and the log says when, so a scene that gets darker does not
    get brighter. Samples with a point whose white is at most 1 are 0 … 1. What is below black or above white is cut off.
    """

    def __init__(self) -> None:
        self._whites: dict[str, float] = {}
        """By the type of samples: a folder may hold several."""

    def to_eight_bits(self, picture: NDArray[Any], name: str) -> NDArray[np.uint8]:
        """Any shape and type -> the same shape, uint8. Raises UnreadableError above 65535."""
        kind, white = picture.dtype.name, self._white_of(picture)
        if white > self._whites.get(kind, 0):
            _log.info(
                "%s: %s samples; 0 to %g become 0 to 255, here and from now on", name, _said(picture), white
            )
            self._whites[kind] = white
        white = self._whites[kind]
        if picture.dtype == np.uint16:
            return in_eight_bits(picture, int(white))
        with np.errstate(over="ignore"):  # what becomes infinite is cut off
            scaled = np.nan_to_num(picture * (255 / white), nan=0.0)
        eight: NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
        return eight

    def _white_of(self, picture: NDArray[Any]) -> float:
        most = most_of(picture)
        if most <= 1 and picture.dtype.kind == "f":
            return 1.0
        white = white_for(most)
        if white is None:
            raise UnreadableError(f"samples up to {most:g}; accepted are up to 65535")
        return float(white)


def _said(picture: NDArray[Any]) -> str:
    form = {"u": "unsigned", "i": "signed", "f": "floating-point"}.get(picture.dtype.kind, "")
    return f"{8 * picture.dtype.itemsize}-bit {form}"
