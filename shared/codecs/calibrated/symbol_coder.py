"""The symbols of one tensor <-> bytes: which model codes which symbol, and in which order.

A symbol is a magnitude 0 … levels - 1, and a sign where the tensor has negative values. Whether it is zero is coded with the
class that the context model chooses; how large it is, with one of a few tables, by channel; its sign, as one bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shared.codecs.calibrated.context_model import CLASSES, Canvas, CodingPass, ContextModel, passes_of
from shared.codecs.calibrated.entropy import SCALE, Alphabet, Reader, Writer
from shared.codecs.calibrated.profile import require
from shared.errors import ProfileContentError
from shared.limits import MAX_GROUPS, MAX_LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from shared.wire.frame import Bytes


class Symbols(NamedTuple):
    """One frame's symbols; all arrays are (rows, columns, channels)."""

    magnitudes: NDArray[np.uint8]
    negative: NDArray[np.bool_] | None
    """None where the tensor is never negative."""
    canvas: Canvas
    """The magnitudes again, as neighbours count."""


class SymbolCoder:
    """Codes symbols with the models of one profile."""

    def __init__(
        self,
        arrays: Mapping[str, NDArray[Any]],
        grid: tuple[int, int, int],
        *,
        levels: int,
        groups: int,
        signed: bool,
    ) -> None:
        """Raises ProfileContentError if the arrays cannot be used."""
        channels = grid[2]
        if not (2 <= levels <= MAX_LEVELS and 1 <= groups <= min(MAX_GROUPS, channels)):
            raise ProfileContentError(
                f"a profile of {levels} levels and {groups} groups of {channels} channels",
                accepted={"levels": [2, MAX_LEVELS], "groups": [1, MAX_GROUPS]},
            )
        self._grid = grid
        self._signed = signed
        self.passes = passes_of(*grid, groups)
        self._contexts = ContextModel(arrays, self.passes, channels)
        ladder = require(arrays, "ladder", np.uint16, (CLASSES,)).astype(np.int64)
        self._significance = Alphabet(np.stack([SCALE - ladder, ladder], axis=1))
        self._magnitudes = None
        if levels > 2:
            self._magnitudes = Alphabet(
                require(arrays, "magnitudes", np.uint16, (None, levels - 1)).astype(np.int64)
            )
            self._kinds = require(arrays, "magnitude_kind", np.uint8, (channels,))
            if self._kinds.max() >= self._magnitudes.classes:
                raise ProfileContentError("a profile's kinds of magnitudes are out of range")

    def encode(self, symbols: Symbols) -> bytes:
        """The symbols as words of 4 bytes, little-endian."""
        writer = Writer()
        magnitudes = symbols.magnitudes.reshape(-1, self._grid[2])
        negative = None if symbols.negative is None else symbols.negative.reshape(magnitudes.shape)
        for current in self.passes:
            values = magnitudes[current.positions, current.first : current.last].ravel()
            coded = np.flatnonzero(values)
            classes = self._contexts.classes(current, symbols.canvas)
            writer.add((values > 0).astype(np.int32), classes, self._significance)
            if self._magnitudes:
                writer.add(values[coded] - np.int32(1), self._kinds_of(current)[coded], self._magnitudes)
            if negative is not None:
                signs = negative[current.positions, current.first : current.last].ravel()
                writer.add_uniform(signs[coded].astype(np.int32), 2)
        return writer.finish()

    def decode(self, payload: Bytes) -> Symbols:
        """The symbols of a payload. Raises ContentError for bytes that no encoder writes."""
        reader = Reader(payload)
        symbols = Symbols(
            np.zeros(self._grid, np.uint8),
            np.zeros(self._grid, bool) if self._signed else None,
            Canvas(*self._grid),
        )
        magnitudes = symbols.magnitudes.reshape(-1, self._grid[2])
        negative = None if symbols.negative is None else symbols.negative.reshape(magnitudes.shape)
        for current in self.passes:
            size = len(current.positions), current.last - current.first
            values = reader.take(self._contexts.classes(current, symbols.canvas), self._significance)
            coded = np.flatnonzero(values)
            if self._magnitudes:
                values[coded] += reader.take(self._kinds_of(current)[coded], self._magnitudes)
            if negative is not None:
                signs = np.zeros(len(values), bool)
                signs[coded] = reader.take_uniform(len(coded), 2)
                negative[current.positions, current.first : current.last] = signs.reshape(size)
            magnitudes[current.positions, current.first : current.last] = values.reshape(size)
            symbols.canvas.put(current, values.reshape(size))
        reader.finish()
        return symbols

    def _kinds_of(self, current: CodingPass) -> NDArray[np.uint8]:
        """The table of each symbol's magnitude, (positions x channels of the pass,)."""
        return np.tile(self._kinds[current.first : current.last], len(current.positions))
