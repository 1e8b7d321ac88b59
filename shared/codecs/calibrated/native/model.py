"""One tensor's symbols and values by the compiled library."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.codecs.calibrated.entropy import NOT_AT_THE_END, words_of
from shared.codecs.calibrated.grid import grid_shape
from shared.codecs.calibrated.inter.history import History, hash_of
from shared.codecs.calibrated.native.layout import Layout
from shared.codecs.calibrated.native.library import History as Known
from shared.codecs.calibrated.native.memory import borrowed
from shared.errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shared.codecs.calibrated.inter.history import Grids
    from shared.codecs.calibrated.native.library import Level, Library
    from shared.codecs.calibrated.native.reference import NumpyModel
    from shared.wire.frame import Bytes

_WORDS_A_SYMBOL = 2
"""A magnitude takes at most 24 bits, whether there is one 24 more, and a sign 16."""
MAX_CHANNELS = 0xFFFF
"""The library numbers channels in 16 bits."""


class NativeModel:
    """What was fitted to one tensor, laid out for the library, and nothing of its arrays. May be used from any thread."""

    def __init__(
        self, library: Library, level: Level, arrays: Mapping[str, NDArray[Any]], checked: NumpyModel
    ) -> None:
        """`checked`: the same in numpy, which has found a profile's `arrays` usable."""
        self._level = level
        self._shape, self._signed, self._grid = checked.shape, checked.signed, grid_shape(checked.shape)
        self._corrector = checked.reconstruction.corrector
        self._layout = Layout(library, arrays, checked)
        self._at = ctypes.addressof(self._layout.model)
        self._scratch_bytes = library.scratch_bytes(self._layout.model)

    @property
    def follows(self) -> bool:
        """Whether it codes frames that follow a known one."""
        return bool(self._layout.model.following_significance)

    def encode(self, array: NDArray[np.float32]) -> bytes:
        """A tensor as words of 4 bytes, little-endian. Raises ContentError for NaN and infinity."""
        return self.encode_symbols(*self.quantise(array))

    def decode(self, payload: Bytes) -> NDArray[np.float32]:
        """The tensor, whose values may be anything that binary32 holds. Raises ContentError for bytes that no encoder writes."""
        return self.values(*self.decode_symbols(payload))

    def quantise(
        self, array: NDArray[np.float32], history: History | None = None, sticky: float = 0
    ) -> Grids:
        """The magnitudes of a tensor's values, and which are negative (None if not signed), (rows, columns, channels) each.

        By a `history` they change only if a value is beyond its cell by more than `sticky` of a step. Raises ContentError for NaN and
        infinity.
        """
        values = np.ascontiguousarray(array, np.float32)
        magnitudes, negative = self._grids()
        known = _known(history)
        given = _address(values), _pointer(known), sticky, _address(magnitudes), _address(negative)
        if not self._level.quantise(self._at, *given):
            raise ContentError("the tensor holds NaN or infinity; accepted: finite numbers")
        return magnitudes, negative

    def encode_symbols(
        self,
        magnitudes: NDArray[np.uint8],
        negative: NDArray[np.uint8] | None,
        history: History | None = None,
    ) -> bytes:
        """The symbols as words."""
        words = np.empty(_WORDS_A_SYMBOL * magnitudes.size + 4, np.uint32)
        known = _known(history)
        with borrowed(self._scratch_bytes) as scratch:
            given = _address(magnitudes), _address(negative), _pointer(known), scratch
            count = self._level.encode(self._at, *given, _address(words))
        return words[:count].tobytes()

    def decode_symbols(self, payload: Bytes, history: History | None = None) -> Grids:
        """The symbols of a payload. Raises ContentError for bytes that no encoder writes."""
        words = words_of(payload)
        magnitudes, negative = self._grids()
        known = _known(history)
        with borrowed(self._scratch_bytes) as scratch:
            given = _address(words), len(words), _pointer(known), scratch
            ended = self._level.decode(self._at, *given, _address(magnitudes), _address(negative))
        if not ended:
            raise ContentError(NOT_AT_THE_END)
        return magnitudes, negative

    def values(
        self, magnitudes: NDArray[np.uint8], negative: NDArray[np.uint8] | None
    ) -> NDArray[np.float32]:
        """The tensor that symbols stand for."""
        values = self.plain(magnitudes, negative)
        if self._corrector is not None:
            first = len(self._shape) == 3
            flat = values.reshape((self._grid[2], -1) if first else (-1, self._grid[2]))
            self._corrector.add_to(flat, channels_first=first)
        self._level.finish(self._at, _address(magnitudes), _address(values))
        return values.reshape(self._shape)

    def plain(self, magnitudes: NDArray[np.uint8], negative: NDArray[np.uint8] | None) -> NDArray[np.float32]:
        """The values before what is usual, and before a corrector of values, flat, in the order of the tensor."""
        values = np.empty(magnitudes.size, np.float32)
        with borrowed(self._scratch_bytes) as scratch:
            self._level.reconstruct(
                self._at, _address(magnitudes), _address(negative), scratch, _address(values)
            )
        return values

    def remember(
        self, magnitudes: NDArray[np.uint8], negative: NDArray[np.uint8] | None, history: History | None
    ) -> History:
        """What is known after a frame of these symbols, of which zeros lose their signs. `history`: what was known before; None: it is a
        keyframe.
        """
        heat, contexts = np.empty(self._grid, np.uint8), np.empty(self._grid, np.uint8)
        unrest = np.empty(self._grid[:2], np.uint8)
        known = _known(history)
        with borrowed(self._scratch_bytes) as scratch:
            given = _address(magnitudes), _address(negative), _pointer(known), scratch
            self._level.remember(self._at, *given, _address(heat), _address(contexts), _address(unrest))
        pointers = Known(given[0], given[1], *(_address(each) for each in (heat, contexts, unrest)))
        found = hash_of((magnitudes, negative), history)
        return History(magnitudes, negative, heat, contexts, unrest, found, pointers)

    def _grids(self) -> Grids:
        return np.empty(self._grid, np.uint8), np.empty(self._grid, np.uint8) if self._signed else None


def _known(history: History | None) -> Known | None:
    """What the library takes of a history; it must be kept while it does."""
    if history is None:
        return None
    if isinstance(history.pointers, Known):
        return history.pointers
    grids = history.magnitudes, history.negative, history.heat, history.contexts, history.unrest
    return Known(*map(_address, grids))


def _pointer(known: Known | None) -> int | None:
    return None if known is None else ctypes.addressof(known)


def _address(array: NDArray[Any] | None) -> int | None:
    return None if array is None else array.ctypes.data
