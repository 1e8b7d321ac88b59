"""Resampling and normalising by the compiled library: the same bytes as numpy's, in a fifth of the time."""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from shared.network.recipes.native.library import Axis, library
from shared.network.recipes.weights import weights_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared.network.recipes.weights import Span

_COLOURS = 3
_NARROWEST = 16
"""Pixels: a line has at least the 48 bytes that are worked on at once."""
_LARGEST_WEIGHT = (1 << 15) - 1
_TURNED = 48
"""Bytes for each pixel of a line while sixteen lines stand upright."""
_MAX_KEPT_BYTES = 4 << 20

_local = threading.local()


@dataclass(frozen=True, eq=False)
class _Direction:
    """The weights of the pixels that are wanted."""

    first: int
    """The first pixel of the picture that they take."""
    end: int
    """Behind the last one."""
    axis: Axis
    held: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int16]]
    """What `axis` points to."""


def resampled(
    picture: NDArray[np.uint8], rows: Span, columns: Span, interpolation: str
) -> NDArray[np.uint8] | None:
    """As `resample` gives it; None for what the library is not made for, or without one."""
    levels = library()
    if not levels or picture.shape[2] != _COLOURS or picture.strides[1:] != (_COLOURS, 1):
        return None
    across, down = _direction(columns, interpolation), _direction(rows, interpolation)
    if across is None or down is None or min(across.end - across.first, columns.count) < _NARROWEST:
        return None
    part = picture[down.first : down.end, across.first : across.end]
    height, width = part.shape[:2]
    scratch = _scratch(height * columns.count * _COLOURS + (width + columns.count) * _TURNED)
    found = np.empty((rows.count, columns.count, _COLOURS), np.uint8)
    levels[-1].resample(
        part.ctypes.data, part.strides[0], height, width, ctypes.byref(across.axis), ctypes.byref(down.axis),
        scratch.ctypes.data, found.ctypes.data,
    )  # fmt: skip
    return found


def looked_up(
    picture: NDArray[np.uint8], tables: NDArray[np.float32], colours: Sequence[int]
) -> NDArray[np.float32]:
    """(H, W, n) uint8 -> (C, H, W) float32: of each pixel the byte number `colours[c]`, by row c of `tables`, (C or more, 256)."""
    found = np.empty((len(colours), *picture.shape[:2]), np.float32)
    levels = library()
    if levels and picture.shape[2] == _COLOURS and picture.flags.c_contiguous:
        order = (ctypes.c_int32 * len(colours))(*colours)
        pixels = picture.shape[0] * picture.shape[1]
        levels[-1].planes(
            picture.ctypes.data, pixels, tables.ctypes.data, ctypes.byref(order), len(colours), found.ctypes.data
        )  # fmt: skip
        return found
    for plane, (table, colour) in enumerate(zip(tables, colours, strict=False)):
        # Any mode but `raise`, the default, spares a copy through a buffer; a byte is in range in any case.
        np.take(table, picture[:, :, colour], out=found[plane], mode="clip")
    return found


@lru_cache(maxsize=8)
def _direction(span: Span, interpolation: str) -> _Direction | None:
    """None for weights that the library's type does not hold."""
    lows, whole, bits = weights_of(span, interpolation)
    wanted = slice(span.first, span.first + span.count)
    weights = whole[wanted]
    if np.abs(weights).max() > _LARGEST_WEIGHT or not bits:
        return None
    taps = weights.shape[1] - (weights[:, ::-1] != 0).argmax(1)
    first, end = int(lows[wanted].min()), int((lows[wanted] + taps).max())
    held = (
        (lows[wanted] - first).astype(np.int32),
        taps.astype(np.int32),
        np.ascontiguousarray(weights.astype(np.int16)),
    )
    axis = Axis(*(each.ctypes.data for each in held), span.count, weights.shape[1], bits)
    return _Direction(first, end, axis, held)


def _scratch(size: int) -> NDArray[np.uint8]:
    """Memory that this thread does not use otherwise, of `size` bytes at least. New memory costs a fault for each of its pages."""
    kept: NDArray[np.uint8] | None = getattr(_local, "scratch", None)
    if kept is None or len(kept) < size:
        kept = np.empty(size, np.uint8)
        if size <= _MAX_KEPT_BYTES:
            _local.scratch = kept
    return kept
