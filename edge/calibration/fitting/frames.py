"""What is quantised of one tensor in all calibration frames, and what of it does not depend on the step size."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from shared.codecs.calibrated.grid import to_grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_SMALLEST = 1e-30


class Frames:
    """The grids of one tensor. Several presets are fitted to the same frames, so what they share is computed once."""

    def __init__(
        self, grids: NDArray[np.float32], shape: tuple[int, ...], *, signed: bool | None = None
    ) -> None:
        """`grids`: (frames, rows, columns, channels) of tensors of this `shape`; `signed`: whether any is negative, if they do not tell."""
        self.grids = grids
        self.shape = shape
        self._signed = signed

    @classmethod
    def of(
        cls,
        tensors: Sequence[NDArray[np.float32]] | NDArray[Any],
        *,
        pooled: bool,
        signed: bool | None = None,
    ) -> Self:
        """Those of tensors of one shape, without the batch dimension; of their means over the positions where pooled."""
        grids = np.stack([to_grid(np.asarray(tensor, np.float32)) for tensor in tensors])
        shape = tuple(tensors[0].shape)
        return cls(grids.mean((1, 2), keepdims=True) if pooled else grids, shape, signed=signed)

    @cached_property
    def signed(self) -> bool:
        """Whether any value is negative."""
        return bool(self.grids.min() < 0) if self._signed is None else self._signed

    @cached_property
    def offset(self) -> NDArray[np.float32]:
        """(channels,): the mean, of rectified tensors 0."""
        if not self.signed:
            return np.zeros(self.grids.shape[3], np.float32)
        mean: NDArray[np.float32] = self.grids.mean((0, 1, 2))
        return mean

    @cached_property
    def size(self) -> NDArray[np.float64]:
        """(channels,): the root mean square beside the offset, not below a millionth of the largest channel's."""
        squares = np.zeros(self.grids.shape[3])
        for grid in self.grids:  # one after another: all of them in double precision are gigabytes
            squares += ((grid - self.offset).astype(np.float64) ** 2).sum((0, 1))
        found = np.sqrt(squares / (self.grids.size // len(squares)))
        # Dead channels must not pull the mean of the logarithms down; random weights make whole tensors of 1e-13.
        floored: NDArray[np.float64] = np.maximum(found, max(1e-6 * float(found.max()), _SMALLEST))
        return floored
