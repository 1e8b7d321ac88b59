"""What an engine is: it compiles a head or a tail once, and is then called with arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import torch
    from numpy.typing import NDArray

    Part = Callable[[NDArray[np.float32]], NDArray[np.float32]]
    """A compiled head or tail: (B, …) float32 -> (B, …) float32. May be called from any thread, one call at a time."""


class Engine(Protocol):
    """Runs halves of a network."""

    def compile(self, part: torch.nn.Module, shape: tuple[int, ...]) -> Part:
        """Make `part` callable with arrays of (B, *shape), any B, and run it once for one element of zeros."""
        ...
