"""One tensor's symbols and values in numpy: the reference, and what decodes where there is no compiled library."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.codecs.base import require_finite
from shared.codecs.calibrated.context_model import Canvas
from shared.codecs.calibrated.grid import from_grid, grid_shape, to_grid
from shared.codecs.calibrated.inter.history import remember
from shared.codecs.calibrated.quantiser import Quantiser, Reconstruction
from shared.codecs.calibrated.symbol_coder import SymbolCoder, Symbols

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from shared.codecs.calibrated.inter.history import Grids, History
    from shared.wire.frame import Bytes


class NumpyModel:
    """What was fitted to one tensor. May be used from any thread."""

    def __init__(
        self,
        arrays: Mapping[str, NDArray[Any]],
        *,
        shape: tuple[int, ...],
        levels: int,
        groups: int,
        signed: bool,
    ) -> None:
        """`arrays`: a profile's, for a tensor of this `shape`. Raises ProfileContentError or LimitError if they cannot be used."""
        grid = grid_shape(shape)
        self.shape, self.levels, self.signed, self.grid = shape, levels, signed, grid
        self.coder = SymbolCoder(arrays, grid, levels=levels, groups=groups, signed=signed)
        self.quantiser = Quantiser(arrays, grid, levels, signed=signed)
        self.reconstruction = Reconstruction(arrays, grid, levels, signed=signed)

    def symbols(
        self, array: NDArray[np.float32], history: History | None = None, sticky: float = 0
    ) -> Symbols:
        """Those of a tensor; by a `history` they change only if a value is beyond its cell by more than `sticky` of a step.

        Raises ContentError for NaN and infinity.
        """
        require_finite(array)
        if history is None or not sticky:
            return self.quantiser(to_grid(array))
        return self.quantiser.sticking(to_grid(array), history, sticky)

    def encode(self, array: NDArray[np.float32]) -> bytes:
        """A tensor as words of 4 bytes, little-endian. Raises ContentError for NaN and infinity."""
        return self.coder.encode(self.symbols(array))

    def decode(self, payload: Bytes) -> NDArray[np.float32]:
        """The tensor, whose values may be anything that binary32 holds. Raises ContentError for bytes that no encoder writes."""
        return self._values(self.coder.decode(payload))

    @property
    def follows(self) -> bool:
        """Whether it codes frames that follow a known one."""
        return self.coder.inter is not None

    def quantise(
        self, array: NDArray[np.float32], history: History | None = None, sticky: float = 0
    ) -> Grids:
        """`symbols`, of which zeros have no sign, as grids."""
        found = self.symbols(array, history, sticky)
        return found.magnitudes, None if found.negative is None else found.negative.view(np.uint8)

    def encode_symbols(
        self,
        magnitudes: NDArray[np.uint8],
        negative: NDArray[np.uint8] | None,
        history: History | None = None,
    ) -> bytes:
        """The symbols as words."""
        signs = None if negative is None else negative.view(bool)
        return self.coder.encode(Symbols(magnitudes, signs, Canvas.of(magnitudes)), history)

    def decode_symbols(self, payload: Bytes, history: History | None = None) -> Grids:
        """The symbols of a payload. Raises ContentError for bytes that no encoder writes."""
        found = self.coder.decode(payload, history)
        return found.magnitudes, None if found.negative is None else found.negative.view(np.uint8)

    def values(
        self, magnitudes: NDArray[np.uint8], negative: NDArray[np.uint8] | None
    ) -> NDArray[np.float32]:
        """The tensor that symbols stand for."""
        signs = None if negative is None else negative.view(bool)
        return self._values(Symbols(magnitudes, signs, Canvas.of(magnitudes)))

    @staticmethod
    def remember(
        magnitudes: NDArray[np.uint8], negative: NDArray[np.uint8] | None, history: History | None
    ) -> History:
        """What is known after a frame of these symbols. `history`: what was known before; None: it is a keyframe."""
        return remember((magnitudes, negative), history)

    def _values(self, symbols: Symbols) -> NDArray[np.float32]:
        values: NDArray[np.float32] = from_grid(self.reconstruction(symbols), self.shape)
        return values
