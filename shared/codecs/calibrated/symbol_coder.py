"""The symbols of one tensor <-> bytes: which model codes which symbol, and in which order.

A symbol is a magnitude 0 … levels - 1, and a sign where the tensor has negative values. Whether it is zero is coded with the
class that the context model chooses; how large it is, with one of a few tables, by channel; its sign, as one bit. Where the frame
before is known (codec `calibrated-inter`), all three have other models: see inter/tables.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shared.codecs.calibrated.context_model import (
    CLASSES,
    Canvas,
    CodingPass,
    ContextModel,
    kinds_of,
    of_pass,
    passes_of,
)
from shared.codecs.calibrated.entropy import SCALE, Alphabet, Reader, Writer
from shared.codecs.calibrated.inter.tables import InterTables, has_inter
from shared.codecs.calibrated.profile import require
from shared.errors import LimitError, ProfileContentError
from shared.limits import MAX_CODING_TABLES, MAX_GROUPS, MAX_LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from shared.codecs.calibrated.inter.history import History
    from shared.wire.frame import Bytes


SIZES = 8
"""Classes of how large the neighbours of a symbol are: 0 in dark passes, which have none yet, and seven for light ones."""
_SIZE = (1 + np.digitize(np.arange(4 * MAX_LEVELS), (1, 2, 4, 7, 12, 20))).astype(np.uint8)


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
        self.contexts = ContextModel(arrays, self.passes, grid)
        ladder = require(arrays, "ladder", np.uint16, (CLASSES,)).astype(np.int64)
        self._significance = Alphabet(np.stack([SCALE - ladder, ladder], axis=1))
        self._magnitudes: Alphabet | None = None
        if levels > 2:
            self._read_magnitudes(arrays, levels)
        self.inter: InterTables | None = None
        """What codes frames that follow a known one; None: nothing of the kind was fitted."""
        if has_inter(arrays):
            self.inter = InterTables(arrays, grid, self.passes, levels=levels, signed=signed)

    def _read_magnitudes(self, arrays: Mapping[str, NDArray[Any]], levels: int) -> None:
        """The tables of magnitudes: one for each kind of symbol, or one for each kind and size of its neighbours.

        Each becomes a model, and each model is asked for in every pass of every frame.
        """
        self._by_size = arrays.get("magnitudes", np.empty(0)).ndim == 3
        shape = (None, SIZES, levels - 1) if self._by_size else (None, levels - 1)
        tables = require(arrays, "magnitudes", np.uint16, shape)
        count = tables.size // (levels - 1)
        if count > MAX_CODING_TABLES:
            raise LimitError(
                f"a profile of {count} tables of magnitudes", accepted={"max_tables": MAX_CODING_TABLES}
            )
        kinds = kinds_of(arrays, "magnitude_kind", self._grid)
        step = SIZES if self._by_size else 1
        most = int(kinds.max())
        if (
            most >= len(tables) or (most + 1) * step > MAX_CODING_TABLES
        ):  # a symbol's table is numbered in eight bits
            raise ProfileContentError("a profile's kinds of magnitudes are out of range")
        self._magnitudes = Alphabet(tables.reshape(-1, levels - 1).astype(np.int64))
        self._kinds = {
            current.index: np.broadcast_to(
                of_pass(kinds, current) * np.uint8(step),
                (len(current.positions), current.last - current.first),
            )
            for current in self.passes
        }

    def make_models(self) -> None:
        """Make those of all classes now, and not in the first frame."""
        for alphabet in (
            self._significance,
            self._magnitudes,
            *(self.inter.alphabets if self.inter else ()),
        ):
            _ = alphabet and alphabet.models

    def encode(self, symbols: Symbols, history: History | None = None) -> bytes:
        """The symbols as words of 4 bytes, little-endian. `history`: what is known of the frames before."""
        writer = Writer()
        magnitudes = symbols.magnitudes.reshape(-1, self._grid[2])
        negative = None if symbols.negative is None else symbols.negative.reshape(magnitudes.shape)
        for current in self.passes:
            values = magnitudes[current.positions, current.first : current.last].ravel()
            coded = np.flatnonzero(values)
            writer.add((values > 0).astype(np.int32), *self._zeros(current, symbols, history))
            if self._magnitudes:
                tables, alphabet = self._sizes(current, symbols, history)
                writer.add(values[coded] - np.int32(1), tables[coded], alphabet)
            if negative is not None:
                signs = negative[current.positions, current.first : current.last].ravel()[coded]
                if self.inter and history:
                    classes, alphabet = self.inter.of_signs(current, history)
                    writer.add(signs.astype(np.int32), classes[coded], alphabet)
                else:
                    writer.add_uniform(signs.astype(np.int32), 2)
        return writer.finish()

    def _zeros(
        self, current: CodingPass, symbols: Symbols, history: History | None
    ) -> tuple[NDArray[np.uint8], Alphabet]:
        """The class of each symbol of a pass, and the models of classes."""
        classes = self.contexts.classes(current, symbols.canvas)
        if self.inter and history:
            return self.inter.of_zeros(current, classes, history)
        return classes, self._significance

    def _sizes(
        self, current: CodingPass, symbols: Symbols, history: History | None
    ) -> tuple[NDArray[np.uint8], Alphabet]:
        """The table of each symbol's magnitude, and the models of tables."""
        if self.inter and history:
            return self.inter.of_magnitudes(current, history)
        assert self._magnitudes is not None
        return self.tables(current, symbols.magnitudes), self._magnitudes

    def decode(self, payload: Bytes, history: History | None = None) -> Symbols:
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
            values = reader.take(*self._zeros(current, symbols, history))
            coded = np.flatnonzero(values)
            if self._magnitudes:
                tables, alphabet = self._sizes(current, symbols, history)
                values[coded] += reader.take(tables[coded], alphabet)
            if negative is not None:
                signs = np.zeros(len(values), bool)
                if self.inter and history:
                    classes, alphabet = self.inter.of_signs(current, history)
                    signs[coded] = reader.take(classes[coded], alphabet)
                else:
                    signs[coded] = reader.take_uniform(len(coded), 2)
                negative[current.positions, current.first : current.last] = signs.reshape(size)
            magnitudes[current.positions, current.first : current.last] = values.reshape(size)
            symbols.canvas.put(current, values.reshape(size))
        reader.finish()
        return symbols

    def tables(self, current: CodingPass, magnitudes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The table of each symbol's magnitude, (positions x channels of the pass,).

        `magnitudes` (rows, columns, channels) as far as they are known; light squares look at their dark neighbours.
        """
        found = self._kinds[current.index]
        if self._by_size and current.light:
            found = found + sizes(magnitudes, current)
        return found.ravel()


def sizes(magnitudes: NDArray[np.uint8], current: CodingPass) -> NDArray[np.uint8]:
    """(positions, channels of a light pass): the size, 1 … SIZES - 1, of the four nearest neighbours in the same channel together."""
    padded = np.pad(magnitudes[:, :, current.first : current.last], ((1, 1), (1, 1), (0, 0)))
    total = padded[:-2, 1:-1] + padded[2:, 1:-1]  # at most 4 x 63, which uint8 holds
    total += padded[1:-1, :-2]
    total += padded[1:-1, 2:]
    found: NDArray[np.uint8] = np.take(_SIZE, total.reshape(-1, total.shape[2])[current.positions])
    return found
