"""What a framework returns for several pictures, one at a time, as one array for each output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.bundling.graph.filling import NOTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared.engines.half import Tensors


def stacked(pictures: Sequence[Sequence[NDArray[np.generic]]]) -> Tensors:
    """By picture and output, arrays of one rank -> by output (pictures, …) float32, where they differ in size filled with -1."""
    return tuple(
        _stacked([each.astype(np.float32) for each in arrays]) for arrays in zip(*pictures, strict=True)
    )


def _stacked(arrays: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    shape = np.max([each.shape for each in arrays], axis=0).astype(int)
    return np.stack([filled(each, tuple(shape)) for each in arrays])


def filled(array: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The array in another size of the same rank: filled with -1 behind, or cut off."""
    if array.shape == shape:
        return array
    found = np.full(shape, NOTHING, np.float32)
    common = tuple(slice(min(pair)) for pair in zip(array.shape, shape, strict=True))
    found[common] = array[common]
    return found
