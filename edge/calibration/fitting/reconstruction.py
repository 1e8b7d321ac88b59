"""What symbols are decoded to: centroids by neighbourhood, and the corrector across channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.codecs.calibrated.native.tallies import Tallies
from shared.codecs.calibrated.quantiser import NEIGHBOURHOOD, NEIGHBOURHOODS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from shared.codecs.calibrated.quantiser import Quantiser, Reconstruction
    from shared.codecs.calibrated.symbol_coder import Symbols

_SMALLEST = 1e-30
"""Keeps the regression solvable for tensors that never change, where there is nothing to predict."""
_HELD_OUT = 4
_QUICK_EVERY = 3
RIDGES = (0.2, 0.05, 0.0125, 0.003)
"""Strengths of the corrector's ridge that are tried, in mean variances of a channel."""
_PRIOR = 8.0
"""Weight of the expected centroid, in values: the centroid of one channel and neighbourhood counts beyond so many."""


def stood_for(quantiser: Quantiser, frame: NDArray[np.float32], symbols: Symbols) -> NDArray[np.float32]:
    """The values that the symbols of a frame stand for, as their centroids do: a sign is part of what a zero stands for only."""
    scaled, negative = quantiser.scale(frame)
    if negative is not None:
        np.negative(scaled, out=scaled, where=negative & (symbols.magnitudes == 0))
    return scaled


def fit_centroids(
    scaled: Iterable[NDArray[np.float32]], symbols: Sequence[Symbols], levels: int
) -> NDArray[np.float16]:
    """Mean scaled values, (channels, NEIGHBOURHOODS, levels), drawn towards the expected ones where few were seen.

    `scaled`: what `stood_for` gives of each frame, with its `symbols`.
    """
    grid = symbols[0].magnitudes.shape
    shape = grid[2], NEIGHBOURHOODS, levels
    count, total = np.zeros(shape, np.int64), np.zeros(shape)
    tallies = Tallies.of(grid, levels)
    for values, found in zip(scaled, symbols, strict=True):
        around = found.canvas.around.astype(np.uint8)
        if tallies:
            tallies.values(found.magnitudes, around, values, count, total)
        else:
            _tally(found.magnitudes, around, values, count, total)
    level = np.maximum(np.arange(levels) - 0.1, 0.1) * 1.1
    of_level = (total.sum((0, 1)) + level) / (count.sum((0, 1)) + 1)
    of_around = (total.sum(0) + of_level) / (count.sum(0) + 1)
    of_channel = (total.sum(1) + 4 * of_level) / (count.sum(1) + 4)
    expected = of_channel[:, None] * (of_around / np.where(of_level == 0, 1, of_level))[None]
    if symbols[0].negative is not None:  # a zero stands for values of both signs, whose mean is about 0
        expected[:, :, 0] = of_level[0]
    centroids: NDArray[np.float64] = (total + _PRIOR * expected) / (count + _PRIOR)
    return centroids.astype(np.float16)


def _tally(
    magnitudes: NDArray[np.uint8],
    around: NDArray[np.uint8],
    values: NDArray[np.float32],
    count: NDArray[np.int64],
    total: NDArray[np.float64],
) -> None:
    """What `Tallies.values` does, in numpy."""
    channels, _, levels = count.shape
    key = np.arange(channels) * (NEIGHBOURHOODS * levels) + NEIGHBOURHOOD[around].astype(np.intp) * levels
    key += magnitudes.reshape(key.shape)
    count += np.bincount(key.ravel(), minlength=count.size).reshape(count.shape)
    total += np.bincount(key.ravel(), weights=values.ravel(), minlength=count.size).reshape(count.shape)


def fit_usual(
    frames: NDArray[np.float32],
    symbols: Sequence[Symbols],
    decoder: Reconstruction,
    step_sizes: NDArray[np.float32],
) -> dict[str, NDArray[Any]]:
    """What the corrected values lack at each position on average, in step sizes: (2, rows, columns, channels), of zeros and of others.

    `frames` (frames, rows, columns, channels) of a camera that stands still, with their `symbols`.
    """
    total = np.zeros((2, *frames.shape[1:]), np.float32)
    count = np.zeros(total.shape, np.float32)
    for frame, found in zip(frames, symbols, strict=True):
        lacks = (frame - decoder.corrected(found)) / step_sizes
        for kind, where in enumerate((found.magnitudes == 0, found.magnitudes > 0)):
            total[kind] += lacks * where
            count[kind] += where
    return {"usual": (total / (count + _PRIOR)).astype(np.float16)}
