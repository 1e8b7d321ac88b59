"""The types that engines and their callers share: compiled halves and segments, and the form of tensors between segments."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from shared.network.partition import SplitPoint

Kind: TypeAlias = Literal["head", "tail"]

Tensors: TypeAlias = tuple[NDArray[np.float32], ...]
"""The tensors of B frames at one split point, each (B, *its shape) float32: a picture or a crossing is one, outputs may be several."""

Half: TypeAlias = Callable[[Tensors], Tensors]
"""A compiled head or tail, for any B. Several threads may call it at once; the result belongs to the caller."""

Segment: TypeAlias = Callable[[Any], Any]
"""The compiled layers between two split points. Takes and returns tensors in the engine's own form, see `TensorForm`."""


class TensorForm(Protocol):
    """Converts between float32 arrays and the form in which an engine's segments pass tensors to each other."""

    def pack(self, tensors: Tensors) -> Any:
        """Convert arrays, each (B, …), to the engine's form."""

    def unpack(self, packed: Any) -> Tensors:
        """Convert to new float32 arrays, each (B, …)."""

    def copy(self, packed: Any) -> Any:
        """The same tensors in memory of their own: what a segment gives may be overwritten by its next run."""


class Reference(Protocol):
    """What computes the input of a half that a probe has none for: an engine."""

    def once(self, kind: Kind, point: SplitPoint) -> Half:
        """A half that passed its check, for a single use. Raises EngineError."""


class Halves(Protocol):
    """Anything that has a head and a tail at every split point."""

    def head(self, point: SplitPoint) -> Half:
        """From the pictures, one array (B, C, H, W), to the crossing."""

    def tail(self, point: SplitPoint) -> Half:
        """From the crossing to the outputs."""
