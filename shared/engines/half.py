"""The types that engines and their callers share: compiled halves and segments, and the form of tensors between segments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from shared.network.partition import SplitPoint

Kind: TypeAlias = Literal["head", "tail"]

Tensors: TypeAlias = tuple[NDArray[np.float32], ...]
"""The tensors of B frames at one split point, each (B, *its shape) float32: a picture or a crossing is one, outputs may be several."""

Half: TypeAlias = Callable[[Tensors], Tensors]
"""A compiled head or tail, for any B. Several threads may call it at once; the result belongs to the caller.

A tail of an int8 network takes values or their uint8 symbols alike; a head of one may be a `QuantisedHead`."""

Segment: TypeAlias = Callable[[Any], Any]
"""The compiled layers between two split points. Takes and returns tensors in the engine's own form, see `TensorForm`."""


class QuantisedHead:
    """A head to a crossing that the network quantises itself. Called, it gives float32 values, as all heads do."""

    def __init__(self, native: Half, point: SplitPoint) -> None:
        """`native` gives the symbols in the engine's own form."""
        self._native = native
        self._point = point

    def __call__(self, tensors: Tensors) -> Tensors:
        """The pictures' crossing in float32."""
        return self._point.values(self._native(tensors))

    def symbols(self, tensors: Tensors) -> Tensors:
        """The same as uint8 symbols where the split point has a grid."""
        return self._point.symbols(self._native(tensors))


def in_symbols(head: Half) -> Half:
    """The head that gives uint8 symbols where the network quantises what crosses."""
    return head.symbols if isinstance(head, QuantisedHead) else head


class TensorForm(Protocol):
    """Converts between float32 arrays and the form in which an engine's segments pass tensors to each other."""

    def pack(self, tensors: Tensors) -> Any:
        """Convert arrays, each (B, …), to the engine's form."""

    def gather(self, packed: Any, callers: Sequence[Tensors]) -> Any:
        """In the engine's form, the rows of `packed`, which may be None, and behind them those of arrays of several callers.

        The result may be in memory that this thread's next call but one uses again.
        """

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
