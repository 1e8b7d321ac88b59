"""What is white in samples of more than 8 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DEPTHS = (8, 10, 12, 14, 16)
_LOOKED_AT = 1 << 16
_SHARE = 0.001


def most_of(samples: NDArray[Any]) -> float:
    """What all samples but the highest 0.1 % are at most, those for pixels that are stuck; any shape and type of numbers."""
    some = samples.ravel()[:: max(1, samples.size // _LOOKED_AT)]
    some = np.where(np.isfinite(some), some, 0)
    place = int((1 - _SHARE) * (some.size - 1))
    return float(np.partition(some, place)[place])


def white_for(most: float) -> int | None:
    """The least of 255, 1023, 4095, 16383 and 65535 that is at least `most`; None above them."""
    return next((2**bits - 1 for bits in _DEPTHS if most < 2**bits), None)


def in_eight_bits(samples: NDArray[np.uint16], white: int) -> NDArray[np.uint8]:
    """The same shape, where `white`, one of those, becomes 255 and what is above it too."""
    eight: NDArray[np.uint8] = np.minimum(samples >> (white.bit_length() - 8), 255).astype(np.uint8)
    return eight
