"""How much two tensors differ, measured in the symbols that a codec makes of them.

    share = of what the symbols of either stand away from zero, the part that is not common to both          0 … 1

For symbols that are 0 or 1 this is the share of those in use that changed; a large one counts as often as it has steps
(the weighted Jaccard distance). A value changed only if it moved by more than a margin: sensor noise makes those near the edge
of their cell hop to and fro.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.int8 import Int8
from shared.codecs.zstd import Zstd
from shared.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from shared.codecs.base import Codec

_CALIBRATED_MARGIN = 0.5
_INT8_MARGIN = 4.0
"""Of 255 steps. With these two margins, a threshold sends about the same frames whichever of the codecs it is."""
_INT8_LEVELS = 255
_INT8_LIMIT = 16_000
"""Of symbols in the steps of another frame; a difference of two still fits into 16 bits."""


class Marks(NamedTuple):
    """What a ruler reads off one tensor; any shape."""

    steps: NDArray[np.float32]
    """Values in steps of the quantiser."""
    symbols: NDArray[np.int16]
    """The same as the quantiser cuts them, with their signs."""


class Ruler(Protocol):
    """The steps of one quantiser."""

    margin: float
    """In steps: how far a value moves before it counts as changed."""

    def __call__(self, array: NDArray[np.float32], /) -> Marks:
        """Of a tensor of finite values, without the batch dimension."""


class CalibratedRuler:
    """The steps are the profile's."""

    margin = _CALIBRATED_MARGIN

    def __init__(self, codec: Calibrated) -> None:
        self._codec = codec

    def __call__(self, array: NDArray[np.float32]) -> Marks:
        quantiser = self._codec.quantiser
        steps, negative = quantiser.scale(self._codec.grid_of(array))
        symbols = quantiser.magnitudes(steps).astype(np.int16)
        if negative is not None:
            np.negative(steps, out=steps, where=negative)
            np.negative(symbols, out=symbols, where=negative)
        return Marks(steps, symbols)


class Int8Ruler:
    """The steps are those of `reference`: each tensor has a scale of its own, and two of them could not be compared."""

    margin = _INT8_MARGIN

    def __init__(self, reference: NDArray[np.float32]) -> None:
        extent = float(reference.max(initial=0.0)) - float(reference.min(initial=0.0))
        self._step = max(np.float32(extent / _INT8_LEVELS), np.finfo(np.float32).tiny)

    def __call__(self, array: NDArray[np.float32]) -> Marks:
        with np.errstate(over="ignore"):  # of a frame that is far from the reference, and the limit follows
            steps = array / self._step
        np.clip(steps, -_INT8_LIMIT, _INT8_LIMIT, out=steps)
        return Marks(steps, np.rint(steps).astype(np.int16))


def rulers(codec: Codec | None) -> Callable[[NDArray[np.float32]], Ruler]:
    """What makes the ruler for a reference tensor. Raises SettingsError for a codec whose symbols cannot be compared."""
    inner = codec.inner if isinstance(codec, Zstd) else codec
    if isinstance(inner, Calibrated):
        ruler = CalibratedRuler(inner)
        return lambda _: ruler
    if isinstance(inner, Int8):
        return Int8Ruler
    what = f"the codec {codec.name} has none of its own" if codec else "at `output` nothing travels"
    raise SettingsError(
        f"--still-threshold compares the symbols that travel, and {what}; choose --codec int8, int8+zstd or "
        "calibrated, or --still-threshold 0"
    )


def share_changed(reference: Marks, now: Marks, margin: float) -> float:
    """0 … 1. Of the same ruler, both."""
    moved: NDArray[np.int16] = np.abs(now.symbols - reference.symbols)
    moved[np.abs(now.steps - reference.steps) <= margin] = 0
    changed = int(moved.sum())
    # |a - b| / max(|a|, |b|) in sums, which holds for opposite signs as well
    whole = int(np.abs(reference.symbols).sum()) + int(np.abs(now.symbols).sum()) + changed
    return 2 * changed / whole if whole else 0.0
