"""What a profile costs, counted from the shapes of its arrays before anything is built of them.

Whoever sends a profile chooses how much its reader holds for it, and how much every frame that names it takes, though such a frame
may be 78 bytes. So both are counted first, and a profile above the limits is refused unbuilt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.codecs.calibrated.grid import grid_shape
from shared.codecs.calibrated.inter.tables import SIGNS, has_inter
from shared.errors import LimitError
from shared.limits import (
    MAX_CODING_TABLES,
    MAX_DECODE_MULTIPLICATIONS,
    MAX_PROFILE_FRAME_BYTES,
    MAX_PROFILE_HELD_BYTES,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from shared.codecs.calibrated.profile import Part, Profile

_MODEL_BYTES = 4096
"""One probability table of the entropy coder, of at most 64 symbols."""
_SYMBOL_BYTES = 8
"""Held for each symbol: its step size and the reciprocal of it, float32 each."""
_SYMBOL_FRAME_BYTES = 36
"""Taken for each symbol while a frame is decoded: magnitudes, signs, neighbours, indices and values."""
_SYMBOL_HISTORY_BYTES = 12
"""Taken for each symbol more by a frame that follows a known one: what is kept of a stream, twice while the next is made, and indices."""
_FRAME_BYTES = 1 << 16
"""Taken by a frame of any size."""
_WIDENED = {"int16": 2, "float16": 2, "int8": 8}
"""Computed with as float32, or as float64 if the sums are long, so that an array of them takes so many times its bytes."""
_WHOLE_FRAME_BYTES = 24
"""Taken for each symbol more by a corrector of whole numbers."""
_BLOCK_BYTES = 64
"""Taken by the library for each channel and rank of such a corrector."""
_RANK_STEP = 16
"""The library pads the ranks of contexts to a multiple."""


@dataclass(frozen=True)
class Cost:
    """Bytes and work. Costs add up: a profile's is that of all its tensors."""

    held_bytes: int
    """For as long as a reader of frames keeps it: its arrays, and the tables made of them."""
    frame_bytes: int
    """At most, while one frame is decoded."""
    multiplications: int
    """Multiply-add operations of one frame's matrix products, in all passes and the corrector."""
    symbols: int
    """Magnitudes and signs that the entropy coder gives for one frame."""

    def __add__(self, other: Cost) -> Cost:
        """The cost of both."""
        return Cost(
            self.held_bytes + other.held_bytes,
            self.frame_bytes
            + other.frame_bytes,  # each tensor stays until the last one is there, and its values are most of it
            self.multiplications + other.multiplications,
            self.symbols + other.symbols,
        )

    def require_affordable(self) -> None:
        """Raise LimitError, which says what is too much and what is accepted."""
        for what, found, most in (
            ("bytes to hold", self.held_bytes, MAX_PROFILE_HELD_BYTES),
            ("bytes to decode a frame", self.frame_bytes, MAX_PROFILE_FRAME_BYTES),
            ("multiplications a frame", self.multiplications, MAX_DECODE_MULTIPLICATIONS),
        ):
            if found > most:
                raise LimitError(
                    f"a profile that takes {found} {what}", accepted={f"max {what}".replace(" ", "_"): most}
                )


def cost_of(profile: Profile) -> Cost:
    """The cost of a profile, whatever its arrays hold. Raises ProfileContentError if a string has no value for a tensor."""
    total = Cost(len(profile.data), 0, 0, 0)  # its arrays
    for number in range(len(profile.shapes)):
        total += _cost_of_tensor(profile.of_tensor(number))
    return total


def _cost_of_tensor(part: Part) -> Cost:
    rows, columns, channels = grid_shape(part.shape)
    elements = rows * columns * channels
    if part.about.get("pooled", "0").strip("0"):
        rows = columns = 1
    positions, symbols = rows * columns, rows * columns * channels
    arrays = part.arrays
    widened = sum(_WIDENED.get(array.dtype.name, 0) * array.nbytes for array in arrays.values())
    # Kinds by position: 4 bytes for the context's, 1 for the magnitude's, and as much again for one copy in coding order. What follows a
    # known frame has a copy of the magnitude's in its own tables' numbers.
    kinds = 4 * _size(arrays, "channel_kind") + _size(arrays, "magnitude_kind") * (1 + has_inter(arrays))
    tables = min(_tables(arrays, "magnitudes"), MAX_CODING_TABLES)  # more of them are refused
    following = 64 + SIGNS + min(_tables(arrays, "inter.magnitudes"), MAX_CODING_TABLES)
    widest = max((_rank(arrays, name) for name in arrays if name.endswith(".up")), default=0)
    widest += -widest % _RANK_STEP
    border = (rows + 2) * (columns + 2) - positions  # of zeros, so that every position has eight neighbours
    corrector = arrays["corrector_down"].shape[-1] if "corrector_down" in arrays else 0
    whole = "corrector_inputs" in arrays
    return Cost(
        held_bytes=widened
        + 2 * kinds
        + _SYMBOL_BYTES * symbols
        + 80 * positions
        + _MODEL_BYTES * (64 + tables + following * has_inter(arrays)),
        frame_bytes=_FRAME_BYTES
        + (_SYMBOL_FRAME_BYTES + _WHOLE_FRAME_BYTES * whole + _SYMBOL_HISTORY_BYTES * has_inter(arrays))
        * symbols
        + _BLOCK_BYTES * (channels + corrector) * whole
        + 8 * elements
        + 4 * border * channels
        + 4 * positions * max(3 * widest, (6 if whole else 2) * corrector),
        multiplications=_of_passes(arrays, positions) + 2 * symbols * corrector,
        symbols=3 * symbols,
    )


def _of_passes(arrays: Mapping[str, NDArray[Any]], positions: int) -> int:
    """Multiplications of all passes: each weight is used once for each of a pass's positions, about half of all."""
    weights = sum(
        array.size
        for name, array in arrays.items()
        if name.startswith("context.") and array.dtype.name == "int16"
    )
    return weights * -(-positions // 2)


def _tables(arrays: Mapping[str, NDArray[Any]], name: str) -> int:
    """Tables of magnitudes, one along the last axis each."""
    found = arrays.get(name)
    return 0 if found is None or found.ndim < 2 else found.size // max(1, found.shape[-1])


def _rank(arrays: Mapping[str, NDArray[Any]], name: str) -> int:
    return int(arrays[name].shape[0]) if arrays[name].ndim else 0


def _size(arrays: Mapping[str, NDArray[Any]], name: str) -> int:
    return int(arrays[name].size) if name in arrays else 0
