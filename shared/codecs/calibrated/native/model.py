"""One tensor's symbols and values by the compiled library."""

from __future__ import annotations

import contextlib
import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.codecs.calibrated.context_model import CLASSES, kinds_of, of_pass
from shared.codecs.calibrated.native.library import Model, Pass
from shared.codecs.calibrated.symbol_coder import SIZES
from shared.errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shared.codecs.calibrated.context_model import CodingPass
    from shared.codecs.calibrated.native.library import Level, Library
    from shared.wire.frame import Bytes

_RANK_STEP, _WIDTH_STEP = 16, 32
_ONE, _SCALE_BITS = 1 << 24, 16
_SYMBOL_BYTES = 32


class NativeModel:
    """What was fitted to one tensor, laid out for the library. The arrays have been checked by the classes in numpy."""

    def __init__(
        self,
        library: Library,
        level: Level,
        arrays: Mapping[str, NDArray[Any]],
        passes: list[CodingPass],
        grid: tuple[int, int, int],
        *,
        levels: int,
        signed: bool,
        channel_first: bool,
    ) -> None:
        self._level = level
        self._grid, self._signed, self._levels = grid, signed, levels
        self._kept: list[Any] = []
        self._scratch: list[NDArray[np.uint8]] = []
        rows, columns, channels = grid
        by_size = levels > 2 and arrays["magnitudes"].ndim == 3
        kinds = kinds_of(arrays, "channel_kind", grid)
        tables = kinds_of(arrays, "magnitude_kind", grid) * np.uint8(SIZES if by_size else 1) if levels > 2 else kinds
        made = [self._pass(arrays, current, kinds, tables) for current in passes]
        self._passes = (Pass * len(made))(*made)
        ladder = arrays["ladder"].astype(np.int64)
        zeros = _starts(np.stack([(1 << _SCALE_BITS) - ladder, ladder], 1))
        sizes = _starts(arrays["magnitudes"].reshape(-1, levels - 1).astype(np.int64)) if levels > 2 else np.zeros((0, 2), np.uint32)
        self._model = Model(
            passes=ctypes.addressof(self._passes),
            significance=self._keep(zeros[:, 1]),
            starts=self._keep(sizes),
            zeros=self._symbols(library, zeros),
            sizes=self._symbols(library, sizes),
            step=self._keep(arrays["step"]),
            offset=self._keep(arrays["offset"]),
            position_scale=self._keep(arrays["position_scale"]),
            centroids=self._keep(arrays["centroid"].astype(np.float32)) if "centroid" in arrays else None,
            threshold=float(np.float32(1 - float(arrays["zone"][0]))),
            pass_count=len(made),
            rows=rows,
            columns=columns,
            channels=channels,
            levels=levels,
            is_signed=signed,
            by_size=by_size,
            channel_first=channel_first,
            most_rank=max(each.rank for each in made),
            most_symbols=max(each.count * (each.last - each.first) for each in made),
        )
        self._scratch_bytes = library.scratch_bytes(self._model)

    def _keep(self, array: NDArray[Any]) -> int:
        array = np.ascontiguousarray(array)
        self._kept.append(array)
        return int(array.ctypes.data)

    def _symbols(self, library: Library, starts: NDArray[np.uint32]) -> int:
        count = starts.shape[1] - 1
        out = np.zeros((len(starts), count, _SYMBOL_BYTES), np.uint8)
        for row, cells in zip(starts, out, strict=True):
            library.symbols(np.ascontiguousarray(row), count, cells.ctypes.data)
        return self._keep(out)

    def _pass(self, arrays: Mapping[str, NDArray[Any]], current: CodingPass, kinds: NDArray[np.uint8], tables: NDArray[np.uint8]) -> Pass:
        name, own = f"context.{current.index}.", current.last - current.first
        up = arrays[name + "up"]
        seen = current.first or current.light
        rank = -(-len(up) // _RANK_STEP) * _RANK_STEP if seen else 0
        width = -(-own // _WIDTH_STEP) * _WIDTH_STEP

        def rows(key: str) -> int:
            array = arrays[name + key]
            return self._keep(np.pad(array, ((0, 0), (0, rank - array.shape[1])))) if rank else 0

        pairs = np.zeros((rank, width), np.int16)
        if rank:
            pairs[: len(up), :own] = up
        pairs = pairs.reshape(rank // 2, 2, width).transpose(0, 2, 1)
        bias = np.zeros(width, np.int32)
        bias[:own] = arrays[name + "bias"]
        of_kinds, of_tables = of_pass(kinds, current), of_pass(tables, current)
        latent_shift, shift = (int(each) for each in arrays[name + "shift"])
        return Pass(
            same=rows("same"),
            around=rows("around"),
            beside=rows("beside") if current.light else 0,
            up=self._keep(pairs),
            bias=self._keep(bias),
            classes=self._keep(arrays[name + "classes"]),
            kinds=self._keep(of_kinds),
            tables=self._keep(of_tables),
            positions=self._keep(current.positions.astype(np.int32)),
            kinds_step=own if len(of_kinds) > 1 else 0,
            tables_step=own if len(of_tables) > 1 else 0,
            first=current.first,
            last=current.last,
            count=len(current.positions),
            light=current.light,
            ends_group=current.ends_group,
            rank=rank,
            width=width,
            latent_shift=latent_shift,
            shift=shift,
        )

    def quantise(self, values: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        """The magnitudes (rows, columns, channels) of a tensor's values, and which are negative. Raises ContentError for NaN and infinity."""
        values = np.ascontiguousarray(values, np.float32)
        magnitudes, negative = self._grids()
        if not self._level.quantise(ctypes.byref(self._model), values.ctypes.data, _address(magnitudes), _address(negative)):
            raise ContentError("the tensor holds NaN or infinity; accepted: finite numbers")
        return magnitudes, negative

    def encode(self, magnitudes: NDArray[np.uint8], negative: NDArray[np.uint8] | None) -> bytes:
        """The symbols as words of 4 bytes, little-endian."""
        words = np.empty(2 * magnitudes.size + 4, np.uint32)
        with self._memory() as scratch:
            count = self._level.encode(ctypes.byref(self._model), _address(magnitudes), _address(negative), scratch, _address(words))
        return words[:count].tobytes()

    def decode(self, payload: Bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        """Magnitudes (rows, columns, channels) and which are negative. Raises ContentError for bytes that no encoder writes."""
        words = np.frombuffer(payload, np.uint8)
        magnitudes, negative = self._grids()
        with self._memory() as scratch:
            ended = self._level.decode(ctypes.byref(self._model), _address(words), len(words) // 4, scratch, _address(magnitudes), _address(negative))
        if not ended:
            raise ContentError("the coded symbols do not end where the tensor does")
        return magnitudes, negative

    def reconstruct(self, magnitudes: NDArray[np.uint8], negative: NDArray[np.uint8] | None) -> NDArray[np.float32]:
        """The values before any corrector, in the tensor's own layout, flat."""
        values = np.empty(magnitudes.size, np.float32)
        with self._memory() as scratch:
            self._level.reconstruct(ctypes.byref(self._model), _address(magnitudes), _address(negative), scratch, _address(values))
        return values

    def _grids(self):
        return np.empty(self._grid, np.uint8), np.empty(self._grid, np.uint8) if self._signed else None

    @contextlib.contextmanager
    def _memory(self):
        try:
            memory = self._scratch.pop()
        except IndexError:
            memory = np.empty(self._scratch_bytes + 64, np.uint8)
        yield (memory.ctypes.data + 63) & ~63
        self._scratch.append(memory)


def _address(array):
    return None if array is None else array.ctypes.data


def _starts(frequencies: NDArray[np.int64]) -> NDArray[np.uint32]:
    """(tables, symbols + 1): where each symbol's part of 2^24 begins, as shared/wire/WIRE.md says."""
    count = frequencies.shape[1]
    before = np.cumsum(frequencies, 1) - frequencies
    starts = (before * (_ONE - count) >> _SCALE_BITS) + np.arange(count)
    return np.pad(starts, ((0, 0), (0, 1)), constant_values=_ONE).astype(np.uint32)
