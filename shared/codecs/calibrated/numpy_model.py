"""One tensor's symbols and values in numpy: the reference, and what decodes where there is no compiled library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.codecs.base import require_finite
from shared.codecs.calibrated.grid import from_grid, grid_shape, to_grid
from shared.codecs.calibrated.quantiser import Quantiser, Reconstruction
from shared.codecs.calibrated.symbol_coder import SymbolCoder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from shared.codecs.calibrated.symbol_coder import Symbols
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
        self.shape, self.levels, self.signed = shape, levels, signed
        self.coder = SymbolCoder(arrays, grid, levels=levels, groups=groups, signed=signed)
        self.quantiser = Quantiser(arrays, grid, levels, signed=signed)
        self.reconstruction = Reconstruction(arrays, grid, levels, signed=signed)

    def symbols(self, array: NDArray[np.float32]) -> Symbols:
        """Those of a tensor. Raises ContentError for NaN and infinity."""
        require_finite(array)
        return self.quantiser(to_grid(array))

    def encode(self, array: NDArray[np.float32]) -> bytes:
        """A tensor as words of 4 bytes, little-endian. Raises ContentError for NaN and infinity."""
        return self.coder.encode(self.symbols(array))

    def decode(self, payload: Bytes) -> NDArray[np.float32]:
        """The tensor, whose values may be anything that binary32 holds. Raises ContentError for bytes that no encoder writes."""
        values: NDArray[np.float32] = from_grid(self.reconstruction(self.coder.decode(payload)), self.shape)
        return values
