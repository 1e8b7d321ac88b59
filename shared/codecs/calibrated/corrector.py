"""The corrector: what quantisation removed, predicted linearly across channels by ridge regression kept at a low rank."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from shared.codecs.calibrated.profile import require
from shared.errors import ProfileContentError
from shared.limits import MAX_CORRECTOR_RANK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


class Corrector:
    """That of one tensor. Its sums may differ in their last bits between machines."""

    def __init__(self, down: NDArray[np.float32], up: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        """`down` (channels, rank), `up` (rank, channels), `bias` (channels,)."""
        self._down, self._up, self._bias = down, up, bias

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], channels: int) -> Self | None:
        """That of a profile's arrays, None if they have none. Raises ProfileContentError."""
        if "corrector_down" not in arrays:
            return None
        down = require(arrays, "corrector_down", np.float16, (channels, None))
        if down.shape[1] > (most := min(MAX_CORRECTOR_RANK, channels)):
            raise ProfileContentError(
                f"a profile's corrector of rank {down.shape[1]}", accepted={"max_rank": most}
            )
        up = require(arrays, "corrector_up", np.float16, (down.shape[1], channels))
        bias = require(arrays, "corrector_bias", np.float32, (channels,))
        return cls(down.astype(np.float32), up.astype(np.float32), bias)

    def add_to(self, values: NDArray[np.float32], *, channels_first: bool = False) -> None:
        """Correct values (positions, channels), or (channels, positions), in place."""
        if channels_first:
            more = self._up.T @ (self._down.T @ values)
            more += self._bias[:, None]
        else:
            more = (values @ self._down) @ self._up
            more += self._bias
        values += more
