"""The probe of a bundle: two pictures with what the reference computes of them (docs/bundle.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.bundling.graph.filling import NOTHING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.engines.half import Tensors
    from shared.network.recipe import Recipe

PICTURES = 2
"""More than one, so that a half compiled for a fixed batch size fails its check."""
SAMPLES = 4096
"""Values kept of each crossing: enough to notice that it differs."""


def probe_pictures(recipe: Recipe) -> NDArray[np.uint8]:
    """(2, height, width, 3) RGB: shapes, shades and noise, the same in every process."""
    height, width, _ = recipe.picture_shape
    random = np.random.default_rng(20261122)
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None]
    pictures = []
    for number in range(PICTURES):
        shade = 90 * np.sin(7 * (number + 1) * x[..., None] + np.arange(3)) * np.cos(5 * y[..., None])
        disc = 60 * ((x - 0.4) ** 2 + (y - 0.5 - 0.1 * number) ** 2 < 0.06)[..., None]
        noise = random.normal(0, 12, (height, width, 3))
        pictures.append(np.clip(128 + shade + disc + noise, 0, 255).astype(np.uint8))
    return np.stack(pictures)


def sample(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(B, …) -> (B, S): the values at S equally spaced flat positions, S at most 4096."""
    rows = values.reshape(len(values), -1)
    elements = rows.shape[1]
    count = min(SAMPLES, elements)
    return np.ascontiguousarray(rows[:, np.arange(count) * elements // count])


def scaled_half(values: NDArray[np.float32]) -> tuple[NDArray[np.float16], np.float32]:
    """Values as float16 and the factor that undoes it; the largest becomes 2^15, so that few are lost to underflow."""
    largest = float(np.abs(values).max(initial=0.0))
    scale = np.float32(largest / 2**15 if largest else 1.0)
    return (values / scale).astype(np.float16), scale


def relative_error(got: Tensors, want: Tensors) -> float:
    """The largest ‖y − y'‖ / ‖y'‖ of any picture and tensor; NaN for a NaN or another shape."""
    errors = [0.0]
    for found, expected in zip(got, want, strict=True):
        if found.shape != expected.shape:
            return float("nan")
        rows = (found.astype(np.float64) - expected).reshape(len(found), -1)
        # Where both are filled up there is nothing to compare, and it must not make the rest look small.
        counted = np.where((found == NOTHING) & (expected == NOTHING), 0.0, expected)
        length = np.linalg.norm(counted.reshape(len(found), -1).astype(np.float64), axis=1)
        errors.append(float(np.max(np.linalg.norm(rows, axis=1) / np.maximum(length, 1e-30))))
    return float(np.max(errors))  # max() would lose a NaN
