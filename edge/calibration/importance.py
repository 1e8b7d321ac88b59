"""How much an error at a channel or a position changes the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from edge.calibration.fit import Importance
from shared.codecs.calibrated.grid import grid_shape, to_grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared.network.partition import Partition, SplitPoint

_MAX_FRAMES = 100
_BATCH = 10
_DRAWS = 4
_ALIKE = 0.9999


def measure_importance(
    partition: Partition, point: SplitPoint, tensors: Sequence[NDArray[np.float32]]
) -> Importance:
    """The diagonal of the Fisher information of the answer with respect to the tensor, by channel and by position.

    `tensors`: float32 of `point.shape`, at most 100 are used. The labels are drawn from the network's own answers, so that none
    need to be known (Kunstner et al., arXiv:1905.12558, on why drawn and not the likeliest).
    """
    tail = partition.tail(point)
    generator = torch.Generator().manual_seed(0)
    squares = np.zeros(grid_shape(point.shape), np.float64)
    of_sums = 0.0
    chosen = tensors[:: max(1, len(tensors) // _MAX_FRAMES)]
    for start in range(0, len(chosen), _BATCH):
        tensor = torch.from_numpy(
            np.stack(chosen[start : start + _BATCH]).astype(np.float32)
        ).requires_grad_()
        logs = torch.log_softmax(tail(tensor), 1)
        for _ in range(_DRAWS):
            drawn = torch.multinomial(logs.detach().exp(), 1, generator=generator)
            (gradient,) = torch.autograd.grad(logs.gather(1, drawn).sum(), tensor, retain_graph=True)
            grids = np.stack([to_grid(one) for one in gradient.numpy()]).astype(np.float64)
            squares += (grids**2).sum(0)
            of_sums += float((grids.sum((1, 2)) ** 2).sum())
    positions = squares.shape[0] * squares.shape[1]
    # Equal gradients at all positions: then the square of their sum is their number times the sum of their squares.
    pooled = bool(positions > 1 and of_sums > _ALIKE * positions * squares.sum())
    grid = squares.astype(np.float32)
    return Importance(grid.mean((0, 1)), grid.mean(2), pooled=pooled)
