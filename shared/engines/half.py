"""The types that engines and their callers share: compiled halves and segments, and the form of tensors between segments."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from shared.network.partition import SplitPoint

Kind: TypeAlias = Literal["head", "tail"]

Half: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""A compiled head or tail: (B, …) float32 -> (B, …) float32, for any B. Several threads may call it at once; the result
belongs to the caller."""

Segment: TypeAlias = Callable[[Any], Any]
"""The compiled layers between two split points. Takes and returns tensors in the engine's own form, see `TensorForm`."""


class TensorForm(Protocol):
    """Converts between float32 arrays and the form in which an engine's segments pass tensors to each other."""

    def pack(self, tensors: NDArray[np.float32]) -> Any:
        """Convert an array (B, …) to the engine's form."""

    def unpack(self, packed: Any) -> NDArray[np.float32]:
        """Convert to a new float32 array (B, …)."""


class Halves(Protocol):
    """Anything that has a head and a tail at every split point."""

    def head(self, point: SplitPoint) -> Half:
        """From the pictures (B, 3, H, W) to the crossing tensors (B, *point.shape)."""

    def tail(self, point: SplitPoint) -> Half:
        """From the crossing tensors (B, *point.shape) to the logits (B, K)."""
