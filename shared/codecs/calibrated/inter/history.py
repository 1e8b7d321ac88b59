"""What both sides of a stream remember of one tensor's symbols, and what a context is made of.

Of every symbol its magnitude and sign in the previous frame, and a byte that says how often it was not zero of late:

    heat = 255 or 0 in a keyframe; afterwards 3/4 heat where the symbol is zero, else 255 - 3/4 (255 - heat), rounded down

and of every position how many of the symbols at it and around it were zero in one of the latest two frames and not in the other.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shared.codecs.base import STATE_BYTES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grids = tuple[NDArray[np.uint8], NDArray[np.uint8] | None]

FULL = 255
_MOST = 2
"""The largest magnitude that a neighbour counts as."""
_HEATS = (16, 64, 128, 192, 240)
_NEAR = (1, 3)
_UNREST = (4, 10, 20, 33)
"""Percent."""
UNRESTS = len(_UNREST) + 2
CONTEXTS = 3 * (len(_HEATS) + 1) * (len(_NEAR) + 1)
_HEAT = (3 * np.digitize(np.arange(FULL + 1), _HEATS)).astype(np.uint8)
_AROUND = (3 * (len(_HEATS) + 1) * np.digitize(np.arange(4 * _MOST + 1), _NEAR)).astype(np.uint8)
COOLED = (3 * np.arange(FULL + 1) // 4).astype(np.uint8)
HEATED = (FULL - COOLED[::-1]).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class History:
    """The state of one tensor of a stream after a frame. It never changes: the next frame makes another one."""

    magnitudes: NDArray[np.uint8]
    """(rows, columns, channels), as all arrays here."""
    negative: NDArray[np.uint8] | None
    """1 where a value is below the offset; 0 where the magnitude is; None where the tensor has no signs."""
    heat: NDArray[np.uint8]
    contexts: NDArray[np.uint8]
    """0 … CONTEXTS - 1: of the symbol that comes next at each place."""
    unrest: NDArray[np.uint8]
    """(rows, columns): 0 … UNRESTS - 1, of which the last is after a keyframe: nothing is known of what has changed."""
    hash: int
    """CRC-32 of all symbols since the keyframe, never 0."""
    pointers: object = None
    """What the compiled library takes of it."""

    @property
    def state(self) -> bytes:
        """The hash as a frame names it, little-endian."""
        return self.hash.to_bytes(STATE_BYTES, "little")


def hash_of(symbols: Grids, before: History | None) -> int:
    """That of the history that ends with these symbols."""
    magnitudes, negative = symbols
    found = zlib.crc32(np.ascontiguousarray(magnitudes).data, before.hash if before else 0)
    if negative is not None:
        found = zlib.crc32(np.ascontiguousarray(negative).data, found)
    return found or 1


def remember(symbols: Grids, before: History | None) -> History:
    """The history that a frame's symbols leave, in numpy. `before` is None for a keyframe. `negative`: 0 where magnitudes are."""
    magnitudes, negative = symbols
    some = magnitudes > 0
    if before is None:
        heat = np.where(some, np.uint8(FULL), np.uint8(0))
        unrest = np.full(magnitudes.shape[:2], UNRESTS - 1, np.uint8)
    else:
        heat = np.where(some, np.take(HEATED, before.heat), np.take(COOLED, before.heat))
        unrest = unrest_of(some, before.magnitudes > 0)
    found = hash_of(symbols, before)
    return History(magnitudes, negative, heat, contexts_of(magnitudes, heat), unrest, found)


def unrest_of(now: NDArray[np.bool_], before: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """From what is not zero in two frames: the share that has changed, of a position three times and of its eight neighbours."""
    changed, some = ((each.sum(2, dtype=np.int64)) for each in (now ^ before, now.astype(np.uint8) + before))
    changed, some = (_with_neighbours(each) for each in (changed, some))
    found = np.zeros(changed.shape, np.uint8)
    for percent in _UNREST:
        found += 100 * changed > percent * some
    return found


def _with_neighbours(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    padded = np.pad(counts, 1)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    found: NDArray[np.int64] = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] + 2 * counts
    return found


def contexts_of(magnitudes: NDArray[np.uint8], heat: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The context of each symbol that comes next."""
    cut = np.pad(np.minimum(magnitudes, _MOST), ((1, 1), (1, 1), (0, 0)))
    near = cut[:-2, 1:-1] + cut[2:, 1:-1] + cut[1:-1, :-2] + cut[1:-1, 2:]
    found: NDArray[np.uint8] = cut[1:-1, 1:-1] + np.take(_HEAT, heat)
    found += np.take(_AROUND, near)
    return found
