"""The corrector: what quantisation removed, predicted linearly across channels by ridge regression kept at a low rank.

Of the third format of profiles it works in whole numbers, so that all machines decode the same values:

    input       = a value in step sizes, as a whole number of 7 bits
    latent      = inputs @ down, as a whole number of 7 bits
    correction  = latents @ up, in step sizes
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from shared.codecs.calibrated.profile import require
from shared.errors import ProfileContentError
from shared.limits import MAX_CORRECTOR_RANK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MOST = 127
"""The largest input and the largest latent."""
MIDDLE = 64
"""The input that stands for 0 where values have signs."""
_EXACT = 1 << 24
"""Sums of whole numbers below it are exact in binary32."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """What is predicted from."""

    factor: NDArray[np.float32]
    """(channels,): what one step size is as an input."""
    signed: bool

    def __call__(self, units: NDArray[np.float32]) -> NDArray[np.float32]:
        """Whole numbers 0 … MOST that stand for values in step sizes (…, channels)."""
        found: NDArray[np.float32] = units * self.factor
        low, high = (MIDDLE - MOST, MOST - MIDDLE) if self.signed else (0, MOST)
        np.clip(found, low, high, out=found)
        np.rint(found, out=found)
        if self.signed:
            found += np.float32(MIDDLE)
        return found


class WholeCorrector:
    """That of one tensor. May be used from any thread."""

    def __init__(
        self,
        inputs: Inputs,
        down: NDArray[np.int8],
        latent: NDArray[np.float32],
        up: NDArray[np.int8],
        outputs: NDArray[np.float32],
    ) -> None:
        """`down` (channels, rank), `up` (rank, channels); `latent` (2, rank) and `outputs` (2, channels): factors and summands."""
        self.inputs, self.latent, self.outputs = inputs, latent, outputs
        self._down, self._up = _exact(down), _exact(up)

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], channels: int, *, signed: bool) -> Self | None:
        """That of a profile's arrays, None if they have none, or one of an earlier format. Raises ProfileContentError."""
        if "corrector_inputs" not in arrays:
            return None
        down = _down(arrays, np.int8, channels)
        rank = down.shape[1]
        return cls(
            Inputs(require(arrays, "corrector_inputs", np.float32, (channels,)), signed),
            down,
            require(arrays, "corrector_latent", np.float32, (2, rank)),
            require(arrays, "corrector_up", np.int8, (rank, channels)),
            require(arrays, "corrector_outputs", np.float32, (2, channels)),
        )

    def add_to(self, units: NDArray[np.float32]) -> None:
        """Correct values in step sizes (positions, channels) in place."""
        latent = _product(self.inputs(units), self._down)
        latent *= self.latent[0]
        latent += self.latent[1]
        np.clip(latent, 0, MOST, out=latent)
        np.rint(latent, out=latent)
        more = _product(latent, self._up)
        more *= self.outputs[0]
        more += self.outputs[1]
        units += more


class Corrector:
    """That of one tensor in the first two formats, of values. Its sums may differ in their last bits between machines."""

    def __init__(self, down: NDArray[np.float32], up: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        """`down` (channels, rank), `up` (rank, channels), `bias` (channels,)."""
        self._down, self._up, self._bias = down, up, bias

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], channels: int) -> Self | None:
        """That of a profile's arrays, None if they have none, or one of the third format. Raises ProfileContentError."""
        if "corrector_down" not in arrays or "corrector_inputs" in arrays:
            return None
        down = _down(arrays, np.float16, channels)
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


def _down(arrays: Mapping[str, NDArray[Any]], dtype: type[np.generic], channels: int) -> NDArray[Any]:
    down = require(arrays, "corrector_down", dtype, (channels, None))
    if down.shape[1] > (most := min(MAX_CORRECTOR_RANK, channels)):
        raise ProfileContentError(
            f"a profile's corrector of rank {down.shape[1]}", accepted={"max_rank": most}
        )
    return down


def _exact(weights: NDArray[np.int8]) -> NDArray[Any]:
    """Weights as the floating-point numbers in which their products' sums are exact."""
    most = MOST * int(np.abs(weights.astype(np.int32)).sum(0).max())
    return weights.astype(np.float32 if most < _EXACT else np.float64)


def _product(whole: NDArray[np.float32], weights: NDArray[Any]) -> NDArray[np.float32]:
    """The product of whole numbers up to MOST and weights, each sum rounded to binary32 once."""
    found: NDArray[np.float32] = (whole.astype(weights.dtype, copy=False) @ weights).astype(
        np.float32, copy=False
    )
    return found
