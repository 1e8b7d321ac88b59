"""A profile for the codec `calibrated`, fitted to tensors of unlabelled frames.

In closed form from beginning to end (counts, means, ridge regression), so that the same frames give the same profile, in
seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.calibration.fit_context import fit_context
from edge.calibration.fit_reconstruction import fit_centroids, fit_corrector
from shared.codecs.calibrated.context_model import passes_of
from shared.codecs.calibrated.entropy import SCALE
from shared.codecs.calibrated.grid import to_grid
from shared.codecs.calibrated.profile import Profile
from shared.codecs.calibrated.quantiser import Quantiser, Reconstruction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_MAGNITUDE_KINDS = 8
_SMALLEST = 1e-30


@dataclass(frozen=True)
class Recipe:
    """What is chosen before anything is fitted."""

    step: float = 2.0
    """Of a channel of average size, in its root mean square over all channels."""
    levels: int = 16
    groups: int = 4
    zone: float = 0.95
    """Dead zone, in steps."""
    context_rank: int = 64
    corrector_rank: int = 256
    corrector_ridge: float = 0.2


@dataclass(frozen=True)
class Importance:
    """How much an error changes the answer, up to a factor: the mean square of the gradients of the log-probabilities."""

    channels: NDArray[np.float32]  # (C,)
    positions: NDArray[np.float32]  # (rows, columns)
    pooled: bool = False
    """Whether only the mean over the positions matters, because the tail begins with it."""


def fit_profile(
    tensors: Sequence[NDArray[np.float32]] | NDArray[Any],
    recipe: Recipe,
    *,
    fingerprint: bytes,
    split_point: str,
    importance: Importance | None = None,
    about: dict[str, str] | None = None,
) -> Profile:
    """`tensors`: of calibration frames, without the batch dimension. The same input gives the same profile."""
    shape = tuple(tensors[0].shape)
    frames = np.stack([to_grid(np.asarray(tensor, np.float32)) for tensor in tensors])
    pooled = importance is not None and importance.pooled
    if pooled:
        frames = frames.mean((1, 2), keepdims=True)
    grid = rows, columns, channels = frames.shape[1:]
    signed = bool(frames.min() < 0)
    arrays = _scales(frames, recipe.step, importance, signed=signed)
    groups = min(recipe.groups, channels)
    steps = passes_of(rows, columns, channels, groups)
    arrays["zone"] = np.array([recipe.zone], np.float32)
    quantiser = Quantiser(arrays, grid, recipe.levels, signed=signed)
    symbols = [quantiser(frame) for frame in frames]
    magnitudes = np.stack([found.magnitudes for found in symbols])
    arrays |= fit_context(magnitudes, steps, recipe.context_rank, np.random.default_rng(0))
    arrays |= _magnitude_tables(magnitudes, recipe.levels)
    arrays["centroid"] = fit_centroids(
        [quantiser.scale(frame)[0] for frame in frames], symbols, recipe.levels
    )
    if recipe.corrector_rank and channels > 1:
        plain = Reconstruction(arrays, grid, recipe.levels, signed=signed)
        arrays |= fit_corrector(frames, symbols, plain, recipe.corrector_rank, recipe.corrector_ridge)
    return Profile.make(
        arrays,
        fingerprint=fingerprint,
        split_point=split_point,
        shape=shape,
        about={
            **(about or {}),
            "levels": str(recipe.levels),
            "groups": str(groups),
            "signed": str(int(signed)),
            "pooled": str(int(pooled)),
            "step": f"{recipe.step:g}",
            "frames": str(len(frames)),
        },
    )


def _scales(
    frames: NDArray[np.float32], step: float, importance: Importance | None, *, signed: bool
) -> dict[str, NDArray[Any]]:
    channels = frames.shape[3]
    offset = frames.mean((0, 1, 2)) if signed else np.zeros(channels, np.float32)
    size = np.sqrt(((frames - offset).astype(np.float64) ** 2).mean((0, 1, 2)))
    # Dead channels must not draw the mean of the logarithms down; random weights make whole tensors of 1e-13.
    size = np.maximum(size, max(1e-6 * float(size.max()), _SMALLEST))
    typical = np.exp(np.log(size).mean())
    of_channel = np.ones(channels, np.float32)
    of_position = np.ones(frames.shape[1:3], np.float32)
    if importance is not None:
        of_channel = _inverse(importance.channels)
        if not importance.pooled:
            of_position = _inverse(importance.positions)
    return {
        "offset": offset.astype(np.float32),
        "step": (step * typical * of_channel).astype(np.float32),
        "position_scale": of_position.astype(np.float32),
    }


def _inverse(importance: NDArray[np.float32]) -> NDArray[np.float32]:
    """Finer steps where errors matter more. The theory of fine steps says the power -1/2, and -1/4 measured better."""
    floored = importance + 0.02 * importance.mean()
    scale: NDArray[np.float32] = floored**-0.25
    scale /= np.exp(np.log(scale).mean())
    return scale


def _magnitude_tables(magnitudes: NDArray[np.uint8], levels: int) -> dict[str, NDArray[Any]]:
    """How large a symbol is that is not zero, for few kinds of channels; frequencies that sum to SCALE."""
    if levels == 2:
        return {}
    counts = np.stack([(magnitudes == level).sum((0, 1, 2)) for level in range(1, levels)], axis=1)
    usual = (counts.sum(0) + 1) / (counts.sum() + levels - 1)
    smooth = counts + 20 * usual
    mean = (smooth * np.arange(1, levels)).sum(1) / smooth.sum(1)
    edges = np.quantile(mean, np.arange(1, _MAGNITUDE_KINDS) / _MAGNITUDE_KINDS)
    kinds = np.digitize(mean, edges).astype(np.uint8)
    tables = np.zeros((_MAGNITUDE_KINDS, levels - 1), np.uint16)
    for kind in range(_MAGNITUDE_KINDS):
        share = counts[kinds == kind].sum(0) + 2 * usual + 0.1
        exact = np.floor(share / share.sum() * (SCALE - levels)).astype(np.int64) + 1
        exact[exact.argmax()] += SCALE - exact.sum()
        tables[kind] = exact
    return {"magnitudes": tables, "magnitude_kind": kinds}
