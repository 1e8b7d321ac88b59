"""The values that an int8 network rounds a tensor to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LARGEST, _MIDDLE = 255, 128


class Grid(NamedTuple):
    """The 256 evenly spaced values that a network itself rounds a tensor to.

    value = (symbol - zero_point) * scale, computed in binary32; symbol and zero point are 0 … 255.
    """

    scale: float
    """A normal positive number of binary32."""
    zero_point: int

    def values(self, symbols: NDArray[Any]) -> NDArray[np.float32]:
        """The float32 values of symbols, of the same shape."""
        found = symbols.astype(np.float32)
        found -= np.float32(self.zero_point - (_MIDDLE if symbols.dtype == np.int8 else 0))
        found *= np.float32(self.scale)
        return found

    def symbols(self, array: NDArray[Any]) -> NDArray[np.uint8]:
        """The symbols nearest to float32 values; symbols remain what they are, in either form.

        Exact for what `values` gave: a quotient of binary32 is within one unit in the last place of the whole number.
        """
        if array.dtype == np.uint8:
            return array
        if array.dtype == np.int8:
            return array.view(np.uint8) ^ np.uint8(_MIDDLE)
        scaled = array / np.float32(self.scale)
        scaled += np.float32(self.zero_point)
        np.rint(scaled, out=scaled)
        np.clip(scaled, 0, _LARGEST, out=scaled)
        return scaled.astype(np.uint8)

    @property
    def signed(self) -> bool:
        """Whether engines compute with the symbols less 128, int8: the network's zero is then theirs."""
        return self.zero_point == _MIDDLE

    def native(self, array: NDArray[Any]) -> NDArray[Any]:
        """Symbols, of any form, or values as the engine takes them: int8 if `signed`, else uint8."""
        if not self.signed:
            return self.symbols(array)
        return array if array.dtype == np.int8 else (self.symbols(array) ^ np.uint8(_MIDDLE)).view(np.int8)
