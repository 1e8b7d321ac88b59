"""What symbols stand for: centroids by neighbourhood, and the corrector across channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.codecs.calibrated.quantiser import NEIGHBOURHOOD, NEIGHBOURHOODS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared.codecs.calibrated.quantiser import Reconstruction
    from shared.codecs.calibrated.symbol_coder import Symbols

_SMALLEST = 1e-30
"""Of tensors that never change there is nothing to predict."""
_PRIOR = 8.0
"""A centroid of one channel and neighbourhood counts for nothing until so many values were seen."""


def fit_centroids(
    scaled: Sequence[NDArray[np.float32]], symbols: Sequence[Symbols], levels: int
) -> NDArray[np.float16]:
    """(channels, NEIGHBOURHOODS, levels): mean scaled value, drawn towards what is usual where little was seen."""
    channels = scaled[0].shape[2]
    size = channels * NEIGHBOURHOODS * levels
    count, total = np.zeros(size), np.zeros(size)
    channel = np.arange(channels) * (NEIGHBOURHOODS * levels)
    for values, found in zip(scaled, symbols, strict=True):
        around = found.canvas.around.astype(np.intp).reshape(values.shape)
        key = channel + NEIGHBOURHOOD[around].astype(np.intp) * levels + found.magnitudes
        count += np.bincount(key.ravel(), minlength=size)
        total += np.bincount(key.ravel(), weights=values.ravel(), minlength=size)
    count, total = (part.reshape(channels, NEIGHBOURHOODS, levels) for part in (count, total))
    level = np.maximum(np.arange(levels) - 0.1, 0.1) * 1.1
    of_level = (total.sum((0, 1)) + level) / (count.sum((0, 1)) + 1)
    of_around = (total.sum(0) + of_level) / (count.sum(0) + 1)
    of_channel = (total.sum(1) + 4 * of_level) / (count.sum(1) + 4)
    expected = of_channel[:, None] * (of_around / of_level)[None]
    centroids: NDArray[np.float64] = (total + _PRIOR * expected) / (count + _PRIOR)
    return centroids.astype(np.float16)


def fit_corrector(
    frames: NDArray[np.float32], symbols: Sequence[Symbols], plain: Reconstruction, rank: int, ridge: float
) -> dict[str, NDArray[Any]]:
    """Ridge regression of what is missing on what is there, kept in its `rank` strongest directions."""
    channels = frames.shape[3]
    first: NDArray[np.float32] = np.zeros(channels, np.float32)
    last: NDArray[np.float32] = np.zeros(channels, np.float32)
    gram: NDArray[np.float32] = np.zeros((channels, channels), np.float32)
    cross: NDArray[np.float32] = np.zeros((channels, channels), np.float32)
    rows = 0
    for start in range(0, len(frames), 16):
        there = np.stack([plain.plain(found) for found in symbols[start : start + 16]])
        missing = (frames[start : start + 16] - there).reshape(-1, channels)
        there = there.reshape(-1, channels)
        gram += there.T @ there
        cross += there.T @ missing
        first += there.sum(0)
        last += missing.sum(0)
        rows += len(there)
    first /= rows
    last /= rows
    gram = gram / np.float32(rows) - np.outer(first, first)
    cross = cross / np.float32(rows) - np.outer(first, last)
    eye = np.eye(channels, dtype=np.float32)
    weights = np.linalg.solve(gram + max(ridge * float(np.diag(gram).mean()), _SMALLEST) * eye, cross)
    _, directions = np.linalg.eigh(weights.T @ gram @ weights)
    directions = directions[:, ::-1][:, :rank]
    down = weights @ directions
    # Both factors in float16: their product is what counts, so they share its size.
    size = np.sqrt(np.abs(down).max(0) + 1e-12)
    return {
        "corrector_down": (down / size).astype(np.float16),
        "corrector_up": (directions * size).T.astype(np.float16),
        "corrector_bias": (last - first @ weights).astype(np.float32),
    }
