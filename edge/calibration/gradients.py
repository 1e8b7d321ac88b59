"""The importance of channels and positions from gradients, where torch and the network's source are at hand."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.codecs.calibrated.grid import grid_shape, to_grid
from shared.errors import ModelError
from shared.torch_network.source import is_torch_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

    from shared.engines.half import Half, Tensors
    from shared.network.bundle import Bundle
    from shared.network.partition import SplitPoint

_MAX_FRAMES = 64
_BATCH = 10
_DRAWS = 1
_ALIKE = 0.9999
_SAME_NETWORK = 0.1
"""The largest relative error against the running tail: precision explains so much, other weights would differ by more."""


def squares_of_gradients(
    bundle: Bundle, point: SplitPoint, tail: Half, crossing: Sequence[Sequence[NDArray[np.float32]]]
) -> list[tuple[NDArray[np.float32], bool]]:
    """The diagonal of the Fisher information for each tensor, (rows, columns, channels) up to one factor, and whether only means matter.

    `crossing` has for each tensor those of all frames, float32 of `point.shapes`; at most 64 frames are used. Labels are drawn from the network's own answers, so none need to
    be known (Kunstner et al., arXiv:1905.12558, on why they are drawn and not the likeliest). `tail` is the running one, which
    the rebuilt one is compared with. Raises ModelError if there are no gradients to be had, and says why.
    """
    rebuilt = _rebuilt(bundle, point)
    import torch  # noqa: PLC0415 - a process that runs a bundle needs torch nowhere else

    _compare(rebuilt, tail, tuple(tensors[0][None] for tensors in crossing))
    generator = torch.Generator().manual_seed(0)
    squares = [np.zeros(grid_shape(shape), np.float64) for shape in point.shapes]
    of_sums = [0.0] * len(squares)
    chosen = [tensors[:: max(1, len(tensors) // _MAX_FRAMES)] for tensors in crossing]
    for start in range(0, len(chosen[0]), _BATCH):
        given = [
            torch.from_numpy(np.stack(tensors[start : start + _BATCH]).astype(np.float32)).requires_grad_()
            for tensors in chosen
        ]
        logs = torch.log_softmax(rebuilt(*given)[0].flatten(1), 1)
        for _ in range(_DRAWS):
            drawn = torch.multinomial(logs.detach().exp(), 1, generator=generator)
            gradients = torch.autograd.grad(logs.gather(1, drawn).sum(), given, retain_graph=True)
            for number, gradient in enumerate(gradients):
                grids = np.stack([to_grid(one) for one in gradient.numpy()]).astype(np.float64)
                squares[number] += (grids**2).sum(0)
                of_sums[number] += float((grids.sum((1, 2)) ** 2).sum())
    found = []
    for each, of_sum in zip(squares, of_sums, strict=True):
        positions = each.shape[0] * each.shape[1]
        # If the gradients are equal at all positions, the square of their sum is their number times the sum of their squares.
        pooled = bool(positions > 1 and of_sum > _ALIKE * positions * each.sum())
        found.append((each.astype(np.float32), pooled))
    return found


def _rebuilt(bundle: Bundle, point: SplitPoint) -> torch.nn.Module:
    """The tail as a module that can be differentiated."""
    if find_spec("torch") is None:
        raise ModelError("torch is not installed")
    if not is_torch_source(str(bundle.source.get("model"))):
        raise ModelError("the network does not come from torch")
    from shared.torch_network.partition import TorchPartition  # noqa: PLC0415 - brings torch
    from shared.torch_network.source import rebuild  # noqa: PLC0415 - as above

    module = rebuild(bundle.source, fetched=bundle.fetched).module
    partition = TorchPartition(module, bundle.model.recipe.tensor_shape)
    if point.name not in partition.points:
        raise ModelError(f"torch.fx finds no split point {point.name}")
    return partition.tail(point)


def _compare(rebuilt: Any, tail: Half, crossing: Tensors) -> None:
    import torch  # noqa: PLC0415 - as above

    with torch.inference_mode():
        found = rebuilt(*map(torch.from_numpy, crossing))[0].numpy()
    expected = tail(crossing)[0]
    if not np.linalg.norm(found - expected) <= _SAME_NETWORK * np.linalg.norm(expected):
        raise ModelError("its source answers otherwise than the bundle: was the weights file changed?")
