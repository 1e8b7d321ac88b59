"""What each pixel of a resampled picture takes of those of the picture: filters as Pillow and torch have them, in whole numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def _box(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return ((x > -0.5) & (x <= 0.5)).astype(np.float64)


def _bilinear(x: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.maximum(1 - np.abs(x), 0)
    return found


def _bicubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _lanczos(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


@dataclass(frozen=True)
class _Filter:
    weigh: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    reach: float
    """Pixels of the smaller of the two pictures to each side."""
    bits: int
    """Largest number of bits of a weight's fraction: 255 times the sum of their magnitudes, and a half, stay below 2 ** 24."""
    overshoots: bool
    """Whether weights are negative, so that sums leave 0 to 255."""


FILTERS = {
    "box": _Filter(_box, 0.5, 16, overshoots=False),
    "bilinear": _Filter(_bilinear, 1.0, 16, overshoots=False),
    "bicubic": _Filter(_bicubic, 2.0, 15, overshoots=True),
    "lanczos": _Filter(_lanczos, 3.0, 15, overshoots=True),
}


@dataclass(frozen=True)
class Span:
    """One direction: `count` pixels of the `scaled` ones that `length` pixels become, from the pixel `first` on."""

    length: int
    scaled: int
    first: int
    count: int


class Weights(NamedTuple):
    """One direction: pixel `i` is the sum of the pixels from `lows[i]` on, times row `i` of `whole`, divided by 2 ** `bits`."""

    lows: NDArray[np.intp]
    whole: NDArray[np.float64]
    """(scaled, as many as the widest needs): whole numbers."""
    bits: int


def weights_of(span: Span, interpolation: str) -> Weights:
    """Those of all `span.scaled` pixels, for any of FILTERS.

    They are torch's own 16-bit ones, unless these have more than the filter's `bits` of fraction. Then there are many small ones, and
    the largest makes up for what rounding does to their sum.
    """
    length, scaled, used = span.length, span.scaled, FILTERS[interpolation]
    step = length / scaled
    stretch = max(1.0, step)
    reach = used.reach * stretch
    centres = (np.arange(scaled) + 0.5) * step
    lows = np.maximum(0, np.floor(centres - reach + 0.5).astype(np.intp))
    highs = np.minimum(length, np.floor(centres + reach + 0.5).astype(np.intp))
    pixels = lows[:, None] + np.arange((highs - lows).max())
    weights = used.weigh((pixels + 0.5 - centres[:, None]) / stretch) * (pixels < highs[:, None])
    weights /= weights.sum(1, keepdims=True)
    largest = weights.max()
    torchs = next((bits for bits in range(22) if 0.5 + largest * 2.0 ** (bits + 1) >= 1 << 15), 22)
    kept = min(torchs, used.bits)
    unit = 2.0**kept
    exact = np.copysign(np.floor(np.abs(weights) * unit + 0.5), weights)
    if torchs > used.bits:
        exact[np.arange(scaled), exact.argmax(1)] += unit - exact.sum(1)
    return Weights(lows, exact, kept)
