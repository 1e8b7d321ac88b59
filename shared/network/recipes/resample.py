"""Antialiased resampling of 8-bit pictures, as Pillow does it, by matrix multiplication.

Each direction is a multiplication with a band matrix, cut into blocks that are narrow enough to hold few zeros. The weights are
whole multiples of a power of two, so that every sum is exact in float32: whatever order a processor adds in, and with however
many threads, two machines get the same picture to the bit. numpy releases the GIL in all of it. Where there is the compiled
library, it does the same sums in whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from shared.network.recipes.compiled import resampled
from shared.network.recipes.weights import FILTERS, weights_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.network.recipes.weights import Span

_CHUNK_BYTES = 1 << 20
"""Bytes of the picture as float32 that are looked at together: they stay in the processor's cache."""
_PRODUCTS = 1 << 18
"""Multiplications of one call to the matrix library. OpenBLAS shares larger ones among threads that spin; see shared/process/threads.py."""
_WIDEST = 32
"""Pixels of the larger picture that a block spans, about."""
_HALF = np.float32(0.5)


def resample(picture: NDArray[np.uint8], rows: Span, columns: Span, interpolation: str) -> NDArray[np.uint8]:
    """(rows.length, columns.length, C) uint8 -> (rows.count, columns.count, C) uint8, contiguous.

    `interpolation`: `nearest`, `box`, `bilinear`, `bicubic` or `lanczos`. As Pillow does, columns come first, and values are
    rounded and clipped after each direction; no value differs from Pillow's by more than one level.
    """
    if interpolation == "nearest":
        return picture[_nearest(rows)][:, _nearest(columns)]
    if (found := resampled(picture, rows, columns, interpolation)) is not None:
        return found
    return _multiplied(picture, rows, columns, interpolation)


def _multiplied(
    picture: NDArray[np.uint8], rows: Span, columns: Span, interpolation: str
) -> NDArray[np.uint8]:
    colours = picture.shape[2]
    across = _blocks(columns, interpolation, colours, _PRODUCTS)
    down = _blocks(rows, interpolation, 1, _PRODUCTS // (columns.count * colours))
    clip = FILTERS[interpolation].overshoots
    left, right = across[0].low // colours, across[-1].high // colours
    top, bottom = down[0].low, down[-1].high
    wide = columns.count * colours
    between = np.empty((bottom - top, wide), np.uint8)
    chunk = _CHUNK_BYTES // (4 * colours * max(right - left, columns.count))
    chunk = max(1, min(chunk, _PRODUCTS // max(block.weights.size for block in across), bottom - top))
    values = np.empty((chunk, right - left, colours), np.float32)
    sums = np.empty((chunk, wide), np.float32)
    for start in range(top, bottom, chunk):
        count = min(chunk, bottom - start)
        np.copyto(values[:count], picture[start : start + count, left:right])
        flat = values[:count].reshape(count, -1)
        for block in across:
            part = flat[:, block.low - left * colours : block.high - left * colours]
            np.matmul(part, block.weights.T, out=sums[:count, block.first : block.last])
        _round(sums[:count], between[start - top : start - top + count], clip=clip)
    result = np.empty((rows.count, wide), np.uint8)
    for block in down:
        lines = between[block.low - top : block.high - top].astype(np.float32)
        _round(block.weights @ lines, result[block.first : block.last], clip=clip)
    return result.reshape(rows.count, columns.count, colours)


def _round(sums: NDArray[np.float32], out: NDArray[np.uint8], *, clip: bool) -> None:
    """Halves are rounded up. `sums` are spoilt."""
    sums += _HALF
    if clip:
        np.clip(sums, 0, 255, out=sums)
    np.copyto(out, sums, casting="unsafe")


@dataclass(frozen=True, eq=False)
class _Block:
    """Rows `first` to `last` of the band matrix, and the columns `low` to `high` in which they are not zero."""

    first: int
    last: int
    low: int
    high: int
    weights: NDArray[np.float32]


@lru_cache(maxsize=8)  # a camera has one size and needs two; each takes up to 3 MB
def _blocks(span: Span, interpolation: str, colours: int, weights_each: int) -> tuple[_Block, ...]:
    """The band matrix for pixels of `colours` adjacent values each, in blocks of at most so many weights, if that is possible."""
    step = span.length / span.scaled
    lows, whole, bits = weights_of(span, interpolation)
    weights: NDArray[np.float32] = (whole / 2.0**bits).astype(np.float32)
    highs = np.minimum(span.length, lows + weights.shape[1])
    size = max(1, min(16, round(_WIDEST / step)))
    while size > 1 and size * (size * step + weights.shape[1]) * colours**2 > weights_each:
        size -= 1
    end = span.first + span.count
    blocks = []
    for first in range(span.first, end, size):
        last = min(first + size, end)
        low, high = int(lows[first]), int(highs[last - 1])
        band: NDArray[np.float32] = np.zeros((last - first, high - low), np.float32)
        for row, output in enumerate(range(first, last)):
            begin, count = lows[output] - low, highs[output] - lows[output]
            band[row, begin : begin + count] = weights[output, :count]
        spread = np.kron(band, np.eye(colours, dtype=np.float32))
        begin = first - span.first
        blocks.append(
            _Block(begin * colours, (begin + last - first) * colours, low * colours, high * colours, spread)
        )
    return tuple(blocks)


def _nearest(span: Span) -> NDArray[np.int64]:
    twice_middles = 2 * np.arange(span.first, span.first + span.count, dtype=np.int64) + 1
    return (
        twice_middles * span.length // (2 * span.scaled)
    )  # in whole numbers, as many middles lie between two pixels
