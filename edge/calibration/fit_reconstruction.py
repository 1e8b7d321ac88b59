"""What symbols are decoded to: centroids by neighbourhood, and the corrector across channels."""

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
"""Keeps the regression solvable for tensors that never change, where there is nothing to predict."""
_PRIOR = 8.0
"""Weight of the expected centroid, in values: the centroid of one channel and neighbourhood counts beyond so many."""


def fit_centroids(
    scaled: Sequence[NDArray[np.float32]], symbols: Sequence[Symbols], levels: int
) -> NDArray[np.float16]:
    """Mean scaled values, (channels, NEIGHBOURHOODS, levels), drawn towards the expected ones where few were seen.

    `scaled`: each (rows, columns, channels), with its `symbols`.
    """
    channels = scaled[0].shape[2]
    size = channels * NEIGHBOURHOODS * levels
    count, total = np.zeros(size), np.zeros(size)
    channel = np.arange(channels) * (NEIGHBOURHOODS * levels)
    for values, found in zip(scaled, symbols, strict=True):
        around = found.canvas.around.astype(np.intp).reshape(values.shape)
        key = channel + NEIGHBOURHOOD[around].astype(np.intp) * levels + found.magnitudes
        count += np.bincount(key.ravel(), minlength=size)
        total += np.bincount(key.ravel(), weights=values.ravel(), minlength=size)
    count, total = (sums.reshape(channels, NEIGHBOURHOODS, levels) for sums in (count, total))
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
    """Ridge regression of the error on the plain reconstruction, reduced to its `rank` strongest directions.

    `frames`: (frames, rows, columns, channels), with their `symbols`.
    """
    channels = frames.shape[3]
    first: NDArray[np.float32] = np.zeros(channels, np.float32)
    last: NDArray[np.float32] = np.zeros(channels, np.float32)
    gram: NDArray[np.float32] = np.zeros((channels, channels), np.float32)
    cross: NDArray[np.float32] = np.zeros((channels, channels), np.float32)
    rows = 0
    for start in range(0, len(frames), 16):
        decoded = np.stack([plain.plain(found) for found in symbols[start : start + 16]])
        errors = (frames[start : start + 16] - decoded).reshape(-1, channels)
        decoded = decoded.reshape(-1, channels)
        gram += decoded.T @ decoded
        cross += decoded.T @ errors
        first += decoded.sum(0)
        last += errors.sum(0)
        rows += len(decoded)
    first /= rows
    last /= rows
    gram = gram / np.float32(rows) - np.outer(first, first)
    cross = cross / np.float32(rows) - np.outer(first, last)
    eye = np.eye(channels, dtype=np.float32)
    weights = np.linalg.solve(gram + max(ridge * float(np.diag(gram).mean()), _SMALLEST) * eye, cross)
    _, directions = np.linalg.eigh(weights.T @ gram @ weights)
    directions = directions[:, ::-1][:, :rank]
    down = weights @ directions
    # Both factors are kept in float16: only their product counts, so its magnitude is shared between them.
    size = np.sqrt(np.abs(down).max(0) + 1e-12)
    return {
        "corrector_down": (down / size).astype(np.float16),
        "corrector_up": (directions * size).T.astype(np.float16),
        "corrector_bias": (last - first @ weights).astype(np.float32),
    }
