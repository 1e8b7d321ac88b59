"""What calibration counts in the symbols of frames, by the compiled library."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.codecs.calibrated.native.library import Model, library
from shared.codecs.calibrated.native.memory import borrowed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.codecs.calibrated.native.library import Level

NEIGHBOURHOODS, SIZES = 5, 8


class Tallies:
    """For grids of one shape; without a Model of any profile. May be used from any thread.

    The library writes where magnitudes and kinds say, so each method raises ValueError for arrays that are not as it says.
    """

    def __init__(
        self, level: Level, grid: tuple[int, int, int], levels: int = 2, *, by_size: bool = False
    ) -> None:
        self._level = level
        rows, columns, self._channels = grid
        self._symbols, self._levels = rows * columns * self._channels, levels
        self._model = Model(
            rows=rows, columns=columns, channels=self._channels, levels=levels, by_size=by_size
        )
        self._at = ctypes.addressof(self._model)

    @classmethod
    def of(cls, grid: tuple[int, int, int], levels: int = 2, *, by_size: bool = False) -> Tallies | None:
        """None where there is no library."""
        found = library()
        return None if found is None else cls(found.levels[-1], grid, levels, by_size=by_size)

    def around(self, magnitudes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(positions, channels): the sums of the eight neighbours, each cut to 2, the four nearest twice."""
        magnitudes = _given(magnitudes, np.uint8, self._symbols)
        sums = np.empty((magnitudes.size // self._channels, self._channels), np.uint8)
        with borrowed(self._channels) as scratch:
            self._level.around(self._at, magnitudes.ctypes.data, scratch, sums.ctypes.data)
        return sums

    def values(
        self,
        magnitudes: NDArray[np.uint8],
        sums: NDArray[np.uint8],
        values: NDArray[np.float32],
        counts: NDArray[np.int64],
        totals: NDArray[np.float64],
    ) -> None:
        """Count one frame's symbols, and add up their `values` (positions, channels), by channel, neighbourhood and magnitude.

        `counts` and `totals`: (channels, NEIGHBOURHOODS, levels), added to.
        """
        given = [
            _given(magnitudes, np.uint8, self._symbols, self._levels),
            _given(sums, np.uint8, self._symbols),
            _given(values, np.float32, self._symbols),
        ]
        cells = self._channels, NEIGHBOURHOODS, self._levels
        found = _added_to(counts, np.int64, cells), _added_to(totals, np.float64, cells)
        self._level.tally_values(self._at, *(each.ctypes.data for each in given), *found)

    def sizes(
        self, magnitudes: NDArray[np.uint8], kinds: NDArray[np.uint8], counts: NDArray[np.int64]
    ) -> None:
        """Count one frame's symbols that are not zero by their kind (1 or positions, channels), neighbours' size and magnitude.

        `counts`: (kinds, SIZES, levels), added to. Dark positions, and all unless by size, have the size 0.
        """
        by_position = kinds.size != self._channels
        given = [
            _given(magnitudes, np.uint8, self._symbols, self._levels),
            _given(kinds, np.uint8, self._symbols if by_position else self._channels, len(counts)),
        ]
        found = _added_to(counts, np.int64, (len(counts), SIZES, self._levels))
        step = self._channels if by_position else 0
        self._level.tally_sizes(self._at, *(each.ctypes.data for each in given), step, found)


def _given(array: NDArray[Any], dtype: type[np.generic], size: int, end: int | None = None) -> NDArray[Any]:
    """The array in C order, of `size` elements, all below `end`."""
    if array.dtype != dtype or array.size != size:
        raise ValueError(
            f"{array.dtype} of shape {array.shape}; accepted: {np.dtype(dtype)} of {size} elements"
        )
    if end is not None and size and array.max() >= end:
        raise ValueError(f"{array.max()} is counted nowhere; accepted: below {end}")
    return np.ascontiguousarray(array)


def _added_to(array: NDArray[Any], dtype: type[np.generic], shape: tuple[int, ...]) -> int:
    """The address of an array that the library writes to."""
    if array.dtype != dtype or array.shape != shape or not array.flags.carray:
        raise ValueError(
            f"{array.dtype} of shape {array.shape} to add to; accepted: {np.dtype(dtype)} of shape {shape}, in C order and writable"
        )
    return int(array.ctypes.data)
