"""The recipes that are tried, from fine to coarse. What a step means to the answer depends on what kind of tensor it is."""

from __future__ import annotations

from edge.calibration.fit import Recipe
from shared.codecs.calibrated.grid import grid_shape

STEPS = (0.8, 1.2, 1.6, 2.0, 2.4, 2.8)
"""Of rectified feature maps."""
POOLED_STEPS = (0.3, 0.5, 0.7, 0.9, 1.2, 1.6)
"""Of vectors: a mean over positions has no neighbours that make up for an error."""
SIGNED_STEPS = (0.2, 0.3, 0.4, 0.55, 0.75, 1.0)
"""What no rectifier has thinned out carries as much in its small values as in its large ones."""
SIGNED_LEVELS = 32
GENERIC = 2
"""Which of them a profile gets that was fitted to drawn frames: a finer one than calibration usually recommends."""


def recipes(shape: tuple[int, ...], *, signed: bool, pooled: bool) -> list[Recipe]:
    """`shape`: of the tensor, without the batch dimension. `pooled`: only its mean over the positions travels."""
    rows, columns, _ = grid_shape(shape)
    if pooled or rows * columns == 1:
        return [Recipe(step=step) for step in POOLED_STEPS]
    if signed:
        return [Recipe(step=step, levels=SIGNED_LEVELS) for step in SIGNED_STEPS]
    return [Recipe(step=step) for step in STEPS]
