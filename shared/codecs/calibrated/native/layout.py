"""A profile's arrays of one tensor as the compiled library takes them."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.codecs.calibrated.context_model import kinds_of, of_pass
from shared.codecs.calibrated.entropy import SCALE
from shared.codecs.calibrated.grid import from_grid, grid_shape
from shared.codecs.calibrated.inter.tables import has_inter
from shared.codecs.calibrated.native.library import Model, Pass
from shared.codecs.calibrated.quantiser import scales, usual_of
from shared.codecs.calibrated.symbol_coder import SIZES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shared.codecs.calibrated.context_model import CodingPass
    from shared.codecs.calibrated.native.library import Library
    from shared.codecs.calibrated.native.reference import NumpyModel

_RANK_STEP, _WIDTH_STEP = 16, 32
_PRECISION = 1 << 24
_SYMBOL_BYTES = 32


class Layout:
    """Keeps all memory that its `model` points to, and nothing of a profile's arrays beside."""

    def __init__(self, library: Library, arrays: Mapping[str, NDArray[Any]], checked: NumpyModel) -> None:
        """`checked`: the same in numpy, which has found a profile's `arrays` usable."""
        self._shape, levels = checked.shape, checked.levels
        self._grid = rows, columns, channels = grid_shape(self._shape)
        self._kept: list[Any] = []
        by_size = levels > 2 and arrays["magnitudes"].ndim == 3
        kinds = kinds_of(arrays, "channel_kind", self._grid)
        tables = kinds
        starts = np.zeros((0, 2), np.uint32)
        if levels > 2:
            tables = kinds_of(arrays, "magnitude_kind", self._grid) * np.uint8(SIZES if by_size else 1)
            starts = _starts_of_tables(arrays["magnitudes"])
        made = [self._pass(arrays, current, kinds, tables) for current in checked.coder.passes]
        self._passes = (Pass * len(made))(*made)
        zeros = _starts_of_shares(arrays["ladder"])
        self.model = Model(
            passes=ctypes.addressof(self._passes),
            significance=self._keep(zeros[:, 1]),
            starts=self._keep(starts),
            zeros=self._symbols(library, zeros),
            sizes=self._symbols(library, starts),
            step=self._keep(arrays["step"]),
            offset=self._keep(arrays["offset"]),
            position_scale=self._keep(arrays["position_scale"]),
            centroids=self._keep(arrays["centroid"].astype(np.float32)),
            usual=self._usual(arrays) if "usual" in arrays else None,
            **self._whole_corrector(arrays),
            **(self._following(library, arrays, checked) if has_inter(arrays) else {}),
            threshold=float(np.float32(1 - float(arrays["zone"][0]))),
            pass_count=len(made),
            rows=rows,
            columns=columns,
            channels=channels,
            levels=levels,
            is_signed=checked.signed,
            by_size=by_size,
            channel_first=len(self._shape) == 3,
            most_rank=max(each.rank for each in made),
            most_symbols=max(each.count * (each.last - each.first) for each in made),
        )

    def _keep(self, array: NDArray[Any]) -> int:
        array = np.ascontiguousarray(array)
        self._kept.append(array)
        return int(array.ctypes.data)

    def _whole_corrector(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, int]:
        if "corrector_inputs" not in arrays:
            return {}
        down, up = (_in_fours(arrays[name].T) for name in ("corrector_down", "corrector_up"))
        rank = len(down)
        latent = np.pad(arrays["corrector_latent"], ((0, 0), (0, rank - arrays["corrector_latent"].shape[1])))
        return {
            "inputs": self._keep(arrays["corrector_inputs"]),
            "down": self._keep(down),
            "up": self._keep(up),
            "latent": self._keep(latent),
            "outputs": self._keep(arrays["corrector_outputs"]),
            "corrector_rank": rank,
        }

    def _usual(self, arrays: Mapping[str, NDArray[Any]]) -> int:
        usual = usual_of(arrays, self._grid, scales(arrays, self._grid)[0])
        return self._keep(np.stack([from_grid(each, self._shape) for each in usual]))

    def _symbols(self, library: Library, starts: NDArray[np.uint32]) -> int:
        starts = np.ascontiguousarray(starts)
        count = starts.shape[1] - 1
        out = np.zeros((len(starts), count, _SYMBOL_BYTES), np.uint8)
        for row, cells in zip(starts, out, strict=True):
            library.symbols(row, count, cells)
        return self._keep(out)

    def _pass(
        self,
        arrays: Mapping[str, NDArray[Any]],
        current: CodingPass,
        kinds: NDArray[np.uint8],
        tables: NDArray[np.uint8],
    ) -> Pass:
        name, own = f"context.{current.index}.", current.last - current.first
        up = arrays[name + "up"]
        seen = current.first or current.light
        rank = -(-len(up) // _RANK_STEP) * _RANK_STEP if seen else 0
        width = -(-own // _WIDTH_STEP) * _WIDTH_STEP

        def rows(key: str) -> int:
            array = arrays[name + key]
            return self._keep(np.pad(array, ((0, 0), (0, rank - array.shape[1])))) if rank else 0

        padded = np.zeros((rank, width), np.int16)
        if rank:
            padded[: len(up), :own] = up
        pairs = padded.reshape(rank // 2, 2, width).transpose(0, 2, 1)
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
            following=self._keep(arrays[f"inter.{current.index}.classes"]) if has_inter(arrays) else None,
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

    def _following(
        self, library: Library, arrays: Mapping[str, NDArray[Any]], checked: NumpyModel
    ) -> dict[str, int]:
        zeros = _starts_of_shares(arrays["inter.ladder"])
        found = {
            "following_significance": self._keep(zeros[:, 1]),
            "following_zeros": self._symbols(library, zeros),
        }
        if checked.levels > 2:
            starts = _starts_of_tables(arrays["inter.magnitudes"])
            found["following_starts"] = self._keep(starts)
            found["following_sizes"] = self._symbols(library, starts)
        if checked.signed:
            signs = _starts_of_shares(arrays["inter.signs"])
            found["following_positive"] = self._keep(signs[:, 1])
            found["following_signs"] = self._symbols(library, signs)
        return found


def _in_fours(weights: NDArray[np.int8]) -> NDArray[np.int8]:
    """Weights whose numbers of rows and columns are padded with zeros to multiples of four."""
    return np.pad(weights, [(0, -size % 4) for size in weights.shape])


def _starts(frequencies: NDArray[np.int64]) -> NDArray[np.uint32]:
    """(tables, symbols + 1): where each symbol's part of 2^24 begins, as shared/wire/WIRE.md says."""
    count = frequencies.shape[1]
    before = np.cumsum(frequencies, 1) - frequencies
    starts = before * (_PRECISION - count) // SCALE + np.arange(count)
    return np.pad(starts, ((0, 0), (0, 1)), constant_values=_PRECISION).astype(np.uint32)


def _starts_of_shares(shares: NDArray[np.uint16]) -> NDArray[np.uint32]:
    """Those of a zero and a one, from how probable a one is in 65536ths."""
    ones = shares.astype(np.int64)
    return _starts(np.stack([SCALE - ones, ones], axis=1))


def _starts_of_tables(tables: NDArray[np.uint16]) -> NDArray[np.uint32]:
    return _starts(tables.reshape(-1, tables.shape[-1]).astype(np.int64))
