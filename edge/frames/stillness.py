"""A still scene is not sent: the answer to the frame sent last is repeated for as long as it holds.

A frame is compared with the last one that was sent, never with one that was skipped, so a slow drift adds up and is noticed.
It repeats that frame's answer if it differs by less than the threshold, if the answer exists or may still come, and if it is
not too old. The frames that are sent stay whole: each can be decoded by itself.

How much two crossings differ is measured in the symbols a and b that the codec makes of them, of all tensors together:

    share = sum(|a - b|) / sum((|a| + |b| + |a - b|) / 2)          0 … 1

This is the weighted Jaccard distance, for symbols of either sign. For symbols that are 0 or 1 it is the share that changed, of
those in use; a larger symbol counts for as much as its magnitude. A value counts as
changed only if it moved by more than a margin: sensor noise makes values near the edge of a quantiser's cell jump
between two symbols. Each tensor has a ruler of its own, as codecs have other step sizes for each; a symbol counts the same
in all of them, as it does in the frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from edge.frames.origin import PendingAnswer
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.int8 import Int8
from shared.codecs.symbols import CrossingSymbols
from shared.codecs.zstd import Zstd
from shared.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge.frames.origin import Origin
    from shared.codecs.base import Codec
    from shared.network.grid import Grid

LONGEST_S = 5.0
"""Between a frame and the one it repeats. A change that no threshold notices is sent at the latest then."""
_CALIBRATED_MARGIN = 0.5
_INT8_MARGIN = 4.0
"""Where 255 is the whole range. With these two margins a threshold sends about the same frames with either codec."""
_INT8_LEVELS = 255
_INT8_LIMIT = 16_000
"""Largest magnitude of a symbol, which another frame's step size may make large: the difference of two fits into 16 bits."""


class Comparison(NamedTuple):
    """A frame against the last one sent."""

    repeats: PendingAnswer | None = None
    """The answer to that frame, if it is the answer to this one as well."""
    changed: float | None = None
    """Share of its symbols that changed, 0 … 1; None if the two were not compared."""


class Stillness:
    """Compares the frames of one source. Used by the thread that encodes."""

    def __init__(self, codec: Codec | None, threshold: float, *, longest_s: float = LONGEST_S) -> None:
        """`threshold`: the share of changed symbols, 0 … 1, from which a frame is sent; with 0 every frame is.

        Raises SettingsError if this codec's symbols cannot be compared.
        """
        self._threshold = threshold
        self._longest_s = longest_s
        self._make_ruler = ruler_factory(codec) if threshold else None
        self._reference: tuple[PendingAnswer, list[Ruler], list[Reading]] | None = None

    def compare(self, crossing: Sequence[NDArray[np.float32]], origin: Origin) -> Comparison:
        """The tensors of a frame's crossing, without the batch dimension, against those of the last frame sent."""
        if self._reference is None:
            return Comparison()
        pending, rulers, readings = self._reference
        if pending.lost or origin.captured_s - pending.origin.captured_s > self._longest_s:
            return Comparison()
        with origin.watch.step("compare"):
            # No margin is below a difference to NaN. The frame is sent, and the codec says what is wrong with it.
            if not all(np.isfinite(tensor).all() for tensor in crossing):
                return Comparison()
            now = [ruler(tensor) for ruler, tensor in zip(rulers, crossing, strict=True)]
            changed = share_changed(readings, now, rulers[0].margin)
        return Comparison(pending if changed < self._threshold else None, changed)

    def sending(self, crossing: Sequence[NDArray[np.float32]], origin: Origin) -> PendingAnswer | None:
        """Compare later frames with this one, whose crossing is sent.

        Returns its answer, to be settled once it is known; None if frames are not compared.
        """
        if self._make_ruler is None:
            return None
        with origin.watch.step("compare"):
            rulers = [self._make_ruler(number, tensor) for number, tensor in enumerate(crossing)]
            pending = PendingAnswer(origin)
            readings = [ruler(tensor) for ruler, tensor in zip(rulers, crossing, strict=True)]
            self._reference = pending, rulers, readings
        return pending


class Reading(NamedTuple):
    """One tensor as a ruler measures it; both arrays have its number of elements."""

    scaled: NDArray[np.float32]
    """The values in units of the quantiser's step size."""
    symbols: NDArray[np.int16]
    """The values as the quantiser rounds them, with their signs."""


class Ruler(Protocol):
    """Measures tensors with the step sizes of one quantiser."""

    margin: float
    """How far a value moves before it counts as changed, in units of the step size."""

    def __call__(self, array: NDArray[np.float32], /) -> Reading:
        """Measure a tensor of finite values, without the batch dimension."""


class CalibratedRuler:
    """Takes the step sizes from the profile."""

    margin = _CALIBRATED_MARGIN

    def __init__(self, codec: Calibrated, number: int = 0) -> None:
        """`number`: of the tensor, among those of the profile's crossing."""
        of_tensor = codec.of_tensor(number)
        assert isinstance(of_tensor, Calibrated)
        self._codec = of_tensor

    def __call__(self, array: NDArray[np.float32]) -> Reading:
        quantiser = self._codec.quantiser
        scaled, negative = quantiser.scale(self._codec.grid_of(array))
        symbols = quantiser.magnitudes(scaled).astype(np.int16)
        if negative is not None:
            np.negative(scaled, out=scaled, where=negative)
            np.negative(symbols, out=symbols, where=negative)
        return Reading(scaled, symbols)


class Int8Ruler:
    """Takes the step size from `reference`: int8 scales each tensor by itself, so two of them could not be compared."""

    margin = _INT8_MARGIN

    def __init__(self, reference: NDArray[np.float32]) -> None:
        extent = float(reference.max(initial=0.0)) - float(reference.min(initial=0.0))
        self._step_size = max(np.float32(extent / _INT8_LEVELS), np.finfo(np.float32).tiny)

    def __call__(self, array: NDArray[np.float32]) -> Reading:
        with np.errstate(over="ignore"):  # a frame may be far from the reference, and is clipped next
            scaled = array / self._step_size
        np.clip(scaled, -_INT8_LIMIT, _INT8_LIMIT, out=scaled)
        return Reading(scaled, np.rint(scaled).astype(np.int16))


class SymbolsRuler:
    """Takes the step size from the network, which has quantised the tensor itself."""

    margin = _INT8_MARGIN

    def __init__(self, grid: Grid) -> None:
        self._grid = grid

    def __call__(self, array: NDArray[Any]) -> Reading:
        symbols = self._grid.symbols(array).astype(np.int16) - np.int16(self._grid.zero_point)
        return Reading(symbols.astype(np.float32), symbols)


def ruler_factory(codec: Codec | None) -> Callable[[int, NDArray[np.float32]], Ruler]:
    """A function that makes the ruler for the tensor of a number, from 0, of a crossing; it is given the reference's.

    Raises SettingsError for a codec whose symbols cannot be compared.
    """
    if isinstance(codec, CrossingSymbols):
        grids = codec.grids
        return lambda number, reference: (
            SymbolsRuler(grid) if (grid := grids[number]) else Int8Ruler(reference)
        )
    inner = codec.inner if isinstance(codec, Zstd) else codec
    if isinstance(inner, Calibrated):
        return lambda number, _: CalibratedRuler(inner, number)
    if isinstance(inner, Int8):
        return lambda _, reference: Int8Ruler(reference)
    what = f"the codec {codec.name} has none of its own" if codec else "at `output` nothing travels"
    raise SettingsError(
        f"--still-threshold compares the symbols that travel, and {what}; choose --codec int8, int8+zstd, uint8+zstd or "
        "calibrated, or --still-threshold 0"
    )


def share_changed(reference: Sequence[Reading], now: Sequence[Reading], margin: float) -> float:
    """The share of all symbols, 0 … 1; both have a reading of each tensor, by the same rulers of this margin."""
    changed = whole = 0
    for before, after in zip(reference, now, strict=True):
        moved: NDArray[np.int16] = np.abs(after.symbols - before.symbols)
        moved[np.abs(after.scaled - before.scaled) <= margin] = 0
        changed += int(moved.sum())
        whole += int(np.abs(before.symbols).sum()) + int(np.abs(after.symbols).sum())
    whole += changed  # for equal signs, half of this is max(|a|, |b|)
    return 2 * changed / whole if whole else 0.0
