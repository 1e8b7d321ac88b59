"""Values <-> symbols: step sizes, dead zones, centroids and the corrector of one profile.

    scaled    = (value - offset) / (step size of the channel x scale of the position)
    magnitude = scaled - dead zone + 1, cut to a whole number below the number of levels
    value     = offset + (sign x centroid of (channel, neighbourhood, magnitude) + correction) x step size x scale, then + what is
                usual at the position

Profiles of the first two formats have another corrector, of values and not of step sizes.

Where the camera stands still, what is still wrong at a position on average is known as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.codecs.calibrated.context_model import MAX_AROUND, Canvas
from shared.codecs.calibrated.corrector import Corrector, WholeCorrector
from shared.codecs.calibrated.profile import require
from shared.codecs.calibrated.symbol_coder import Symbols
from shared.errors import ProfileContentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shared.codecs.calibrated.inter.history import History
    from shared.codecs.calibrated.native.tallies import Tallies

NEIGHBOURHOODS = 5
NEIGHBOURHOOD = np.digitize(np.arange(MAX_AROUND + 1), (1, 3, 5, 8)).astype(np.uint16)
"""The neighbourhood (0 … 4) of each sum of neighbours."""


class Quantiser:
    """The encoder's side: values to symbols."""

    def __init__(
        self, arrays: Mapping[str, NDArray[Any]], grid: tuple[int, int, int], levels: int, *, signed: bool
    ) -> None:
        """Raises ProfileContentError if the arrays cannot be used."""
        step_sizes, self._offset = scales(arrays, grid)
        self._reciprocal = np.float32(1) / step_sizes
        self._signed = signed
        self._levels = levels
        self._zone = float(require(arrays, "zone", np.float32, (1,))[0])

    def scale(self, grid: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
        """(rows, columns, channels) -> magnitudes in units of the step size, and which are negative (None if not signed)."""
        scaled: NDArray[np.float32] = (grid - self._offset if self._signed else grid) * self._reciprocal
        if not self._signed:
            return scaled, None
        negative = scaled < 0
        return np.abs(scaled, out=scaled), negative

    def __call__(self, grid: NDArray[np.float32], tallies: Tallies | None = None) -> Symbols:
        """The symbols of values (rows, columns, channels); with `tallies` sooner."""
        scaled, negative = self.scale(grid)
        magnitudes = self.magnitudes(scaled)
        if negative is not None:
            negative &= magnitudes > 0  # a zero has no sign
        canvas = Canvas.of(magnitudes, tallies.around(magnitudes) if tallies else None)
        return Symbols(magnitudes, negative, canvas)

    def sticking(self, grid: NDArray[np.float32], history: History, sticky: float) -> Symbols:
        """The symbols of values; those of the history where the value is at most `sticky` of a step beyond their cell."""
        scaled, negative = self.scale(grid)
        lowest, highest = (self.magnitudes(scaled, shift) for shift in (-sticky, sticky))
        before = history.magnitudes
        stays = (lowest <= before) & (before <= highest)
        if negative is not None:
            assert history.negative is not None
            stays &= (before == 0) | (negative == history.negative)
        magnitudes = np.where(stays, before, self.magnitudes(scaled))
        if negative is not None:
            negative &= magnitudes > 0
        return Symbols(magnitudes, negative, Canvas.of(magnitudes))

    def magnitudes(self, scaled: NDArray[np.float32], shift: float = 0) -> NDArray[np.uint8]:
        """Whole numbers below the number of levels; 0 within the dead zone. `shift`: what is added to the values."""
        whole = scaled + (np.float32(1 - self._zone) + np.float32(shift))
        np.clip(whole, 0, self._levels - 1, out=whole)
        return whole.astype(np.uint8)


class Reconstruction:
    """The decoder's side: symbols to values."""

    def __init__(
        self, arrays: Mapping[str, NDArray[Any]], grid: tuple[int, int, int], levels: int, *, signed: bool
    ) -> None:
        """Raises ProfileContentError if the arrays cannot be used."""
        channels = grid[2]
        self._step_sizes, self._offset = scales(arrays, grid)
        self._signed = signed
        table = require(arrays, "centroid", np.float16, (channels, NEIGHBOURHOODS, levels))
        self._table = table.astype(np.float32).ravel()
        self._channel = (np.arange(channels) * (NEIGHBOURHOODS * levels)).astype(np.int32)
        self._neighbourhood = (NEIGHBOURHOOD * levels).astype(np.int32)
        self.corrector = Corrector.of(arrays, channels)
        self.whole_corrector = WholeCorrector.of(arrays, channels, signed=signed)
        self._usual: NDArray[np.float32] | None = None
        if "usual" in arrays:
            self._usual = usual_of(arrays, grid, self._step_sizes)

    def in_steps(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values (…, rows, columns, channels) in step sizes, without offset."""
        found: NDArray[np.float32] = (values - self._offset if self._signed else values) / self._step_sizes
        return found

    def units(self, symbols: Symbols) -> NDArray[np.float32]:
        """Values (rows, columns, channels) in step sizes, without offset, before the corrector."""
        index = np.take(self._neighbourhood, symbols.canvas.around.astype(np.uint8))
        index += self._channel
        index += symbols.magnitudes.reshape(index.shape)
        values: NDArray[np.float32] = np.take(self._table, index).reshape(symbols.magnitudes.shape)
        if symbols.negative is not None:
            np.negative(values, out=values, where=symbols.negative)
        return values

    def corrected(self, symbols: Symbols) -> NDArray[np.float32]:
        """Values (rows, columns, channels) after the corrector."""
        values = self.units(symbols)
        if self.whole_corrector is not None:
            self.whole_corrector.add_to(values.reshape(-1, values.shape[2]))
        values *= self._step_sizes
        if self._signed:
            values += self._offset
        if self.corrector is not None:
            self.corrector.add_to(values.reshape(-1, values.shape[2]))
        return values

    def __call__(self, symbols: Symbols) -> NDArray[np.float32]:
        """Values (rows, columns, channels)."""
        values = self.corrected(symbols)
        if self._usual is not None:
            values += np.where(symbols.magnitudes == 0, self._usual[0], self._usual[1])
        if not self._signed:
            np.maximum(values, 0, out=values)
        return values


def usual_of(
    arrays: Mapping[str, NDArray[Any]], grid: tuple[int, int, int], step_sizes: NDArray[np.float32]
) -> NDArray[np.float32]:
    """What values lack at each position on average, (2, rows, columns, channels): of zeros and of others. Raises ProfileContentError."""
    usual = require(arrays, "usual", np.float16, (2, *grid)).astype(np.float32)
    with np.errstate(over="ignore"):  # values that are not finite are found when a frame is decoded
        return usual * step_sizes


def scales(
    arrays: Mapping[str, NDArray[Any]], grid: tuple[int, int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Step sizes (rows, columns, channels) and offsets (channels,), both float32. Raises ProfileContentError."""
    rows, columns, channels = grid
    step = require(arrays, "step", np.float32, (channels,))
    position = require(arrays, "position_scale", np.float32, (rows, columns))
    offset = require(arrays, "offset", np.float32, (channels,))
    with np.errstate(over="ignore"):  # which the next line refuses
        step_sizes: NDArray[np.float32] = position[:, :, None] * step
    if not (np.isfinite(step_sizes).all() and step_sizes.min() >= np.finfo(np.float32).tiny):
        raise ProfileContentError("a profile's step sizes are not positive numbers")
    return step_sizes, offset
