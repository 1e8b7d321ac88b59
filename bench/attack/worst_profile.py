"""Profiles that nobody calibrated: every part as large as the limits let it be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.codecs.calibrated.context_model import OWN_KINDS, PREDICTIONS, passes_of
from shared.codecs.calibrated.grid import grid_shape
from shared.codecs.calibrated.profile import Profile
from shared.limits import MAX_CODING_TABLES, MAX_CONTEXT_RANK, MAX_CORRECTOR_RANK, MAX_GROUPS, MAX_LEVELS

if TYPE_CHECKING:
    from numpy.typing import NDArray


def worst_profile(
    shape: tuple[int, ...],
    *,
    fingerprint: bytes = b"profile.",
    split_point: str = "layer1",
    context_rank: int = MAX_CONTEXT_RANK,
    corrector_rank: int = MAX_CORRECTOR_RANK,
    tables: int = MAX_CODING_TABLES // 8,
    kinds: int = 16,
    salt: float = 0.0,
    whole: bool = True,
) -> Profile:
    """Kinds by position, tables by size, the highest ranks, and what is usual at each position; its numbers are all alike.

    Its corrector is of `whole` numbers, so large that their sums take double precision, or of the first formats.
    """
    grid = grid_shape(shape)
    rows, columns, channels = grid
    groups, levels = min(MAX_GROUPS, channels), MAX_LEVELS
    corrector_rank = min(corrector_rank, channels)
    arrays: dict[str, NDArray[np.generic]] = {}
    for current in passes_of(*grid, groups):
        name, before, own = f"context.{current.index}.", current.first, current.last - current.first
        rank = min(context_rank, own)
        arrays |= {
            name + "same": np.zeros((before, rank), np.int16),
            name + "around": np.zeros((before, rank), np.int16),
            name + "beside": np.zeros((own if current.light else 0, rank), np.int16),
            name + "up": np.zeros((rank, own), np.int16),
            name + "bias": np.zeros(own, np.int32),
            name + "shift": np.zeros(2, np.uint8),
            name + "classes": np.zeros((kinds, OWN_KINDS, PREDICTIONS), np.uint8),
        }
    row = np.full(levels - 1, 65536 // (levels - 1), np.int64)
    row[0] += 65536 - row.sum()
    arrays |= {
        "channel_kind": np.zeros(grid, np.uint8),
        "ladder": np.full(64, 32768, np.uint16),
        "magnitudes": np.broadcast_to(row.astype(np.uint16), (tables, 8, levels - 1)),
        "magnitude_kind": np.zeros(grid, np.uint8),
        "step": np.full(channels, 0.01, np.float32),
        "position_scale": np.ones((rows, columns), np.float32),
        "offset": np.full(channels, salt, np.float32),
        "zone": np.full(1, 0.5, np.float32),
        "centroid": np.zeros((channels, 5, levels), np.float16),
        **(_whole if whole else _of_values)(channels, corrector_rank),
        "usual": np.zeros((2, *grid), np.float16),
    }
    about = {"levels": str(levels), "groups": str(groups), "signed": "1", "pooled": "0"}
    return Profile.make(arrays, fingerprint=fingerprint, split_point=split_point, shapes=[shape], about=about)


def _whole(channels: int, rank: int) -> dict[str, NDArray[np.generic]]:
    return {
        "corrector_inputs": np.ones(channels, np.float32),
        "corrector_down": np.full((channels, rank), -128, np.int8),
        "corrector_latent": np.zeros((2, rank), np.float32),
        "corrector_up": np.full((rank, channels), -128, np.int8),
        "corrector_outputs": np.zeros((2, channels), np.float32),
    }


def _of_values(channels: int, rank: int) -> dict[str, NDArray[np.generic]]:
    return {
        "corrector_down": np.zeros((channels, rank), np.float16),
        "corrector_up": np.zeros((rank, channels), np.float16),
        "corrector_bias": np.zeros(channels, np.float32),
    }
