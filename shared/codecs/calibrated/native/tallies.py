"""What calibration counts in the symbols of frames, by the compiled library."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import numpy as np

from shared.codecs.calibrated.native.library import Model, library
from shared.codecs.calibrated.native.memory import borrowed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.codecs.calibrated.native.library import Level

NEIGHBOURHOODS, SIZES = 5, 8


class Tallies:
    """For grids of one shape; without a Model of any profile. May be used from any thread."""

    def __init__(
        self, level: Level, grid: tuple[int, int, int], levels: int = 2, *, by_size: bool = False
    ) -> None:
        self._level = level
        self._channels, self._levels = grid[2], levels
        rows, columns, channels = grid
        self._model = Model(rows=rows, columns=columns, channels=channels, levels=levels, by_size=by_size)
        self._at = ctypes.addressof(self._model)

    @classmethod
    def of(cls, grid: tuple[int, int, int], levels: int = 2, *, by_size: bool = False) -> Tallies | None:
        """None where there is no library."""
        found = library()
        return None if found is None else cls(found.levels[-1], grid, levels, by_size=by_size)

    def around(self, magnitudes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(positions, channels): the sums of the eight neighbours, each cut to 2, the four nearest twice."""
        magnitudes = np.ascontiguousarray(magnitudes)
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
        given = [np.ascontiguousarray(each) for each in (magnitudes, sums, values)]
        self._level.tally_values(
            self._at, *(each.ctypes.data for each in given), counts.ctypes.data, totals.ctypes.data
        )

    def sizes(
        self, magnitudes: NDArray[np.uint8], kinds: NDArray[np.uint8], counts: NDArray[np.int64]
    ) -> None:
        """Count one frame's symbols that are not zero by their kind (1 or positions, channels), neighbours' size and magnitude.

        `counts`: (kinds, SIZES, levels), added to. Dark positions, and all unless by size, have the size 0.
        """
        given = [np.ascontiguousarray(each) for each in (magnitudes, kinds)]
        step = self._channels if len(kinds) > 1 else 0
        self._level.tally_sizes(self._at, *(each.ctypes.data for each in given), step, counts.ctypes.data)
