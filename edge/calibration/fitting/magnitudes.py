"""How large symbols are that are not zero: tables by kind of symbol and size of its neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.codecs.calibrated.entropy import SCALE
from shared.codecs.calibrated.native.tallies import Tallies
from shared.codecs.calibrated.symbol_coder import SIZES, sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.codecs.calibrated.context_model import CodingPass

_KINDS = 8
_PRIOR = 8.0
_TABLE_PRIOR = 30.0


def fit_magnitudes(
    magnitudes: NDArray[np.uint8],
    passes: list[CodingPass],
    levels: int,
    *,
    by_position: bool = False,
    by_size: bool = True,
) -> dict[str, NDArray[Any]]:
    """The arrays `magnitudes` and `magnitude_kind` from magnitudes (frames, rows, columns, channels).

    `by_position`: a symbol's kind goes by its position, not only by its channel. `by_size`: its table goes by its neighbours' size too.
    """
    if levels == 2:
        return {}
    channels = magnitudes.shape[3]
    kinds = _kinds(magnitudes, by_position=by_position)
    tallies = Tallies.of(magnitudes.shape[1:], levels, by_size=by_size)
    if tallies:
        found = np.zeros((_KINDS, SIZES, levels), np.int64)
        for frame in magnitudes:
            tallies.sizes(frame, kinds.reshape(-1, channels), found)
    else:
        found = _tally(magnitudes, passes, kinds, levels, by_size=by_size)
    counts = found[:, :, 1:].astype(np.float64)
    usual = (counts.sum((0, 1)) + 1) / (counts.sum() + levels - 1)
    of_size = drawn(counts.sum(0), usual)
    tables = drawn(counts, of_size) if by_size else drawn(counts.sum(1), usual)
    return {"magnitudes": frequencies(tables), "magnitude_kind": kinds}


def _tally(
    magnitudes: NDArray[np.uint8],
    passes: list[CodingPass],
    kinds: NDArray[np.uint8],
    levels: int,
    *,
    by_size: bool,
) -> NDArray[np.int64]:
    """What `Tallies.sizes` does, in numpy."""
    channels, size = magnitudes.shape[3], _KINDS * SIZES * levels
    at = np.broadcast_to(kinds, magnitudes.shape[1:]).reshape(-1, channels)
    count = np.zeros(size, np.int64)
    for frame in magnitudes:
        flat = frame.reshape(-1, channels)
        for current in passes:
            found = flat[current.positions, current.first : current.last].astype(np.intp)
            table = at[current.positions, current.first : current.last].astype(np.intp) * SIZES
            if current.light and by_size:
                table = table + sizes(frame, current)
            count += np.bincount((table * levels + found)[found > 0], minlength=size)
    return count.reshape(_KINDS, SIZES, levels)


def drawn(counts: NDArray[np.float64], usual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of the last axis, drawn towards the usual ones where little was counted."""
    share: NDArray[np.float64] = (counts + _TABLE_PRIOR * usual) / (
        counts.sum(-1, keepdims=True) + _TABLE_PRIOR
    )
    return share


def _kinds(magnitudes: NDArray[np.uint8], *, by_position: bool) -> NDArray[np.uint8]:
    """(channels,), or (rows, columns, channels): kinds by the mean of the magnitudes that are not zero, each about as frequent."""
    total, count = magnitudes.sum(0, dtype=np.float64), (magnitudes > 0).sum(0).astype(np.float64)
    of_channel = (total.sum((0, 1)) + _PRIOR) / (count.sum((0, 1)) + _PRIOR)
    if by_position:
        mean = (total + _PRIOR * of_channel) / (count + _PRIOR)
    else:
        mean, count = of_channel, count.sum((0, 1))
    order = np.argsort(mean, axis=None)
    reached = np.cumsum(count.ravel()[order] + 1e-9)
    edges = mean.ravel()[order][np.searchsorted(reached, reached[-1] * np.arange(1, _KINDS) / _KINDS)]
    found: NDArray[np.uint8] = np.digitize(mean, edges).astype(np.uint8)
    return found


def frequencies(shares: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Shares along the last axis as positive whole numbers that add up to SCALE."""
    exact = np.floor(shares * (SCALE - shares.shape[-1] - 1)).astype(np.int64) + 1
    most = exact.argmax(-1, keepdims=True)
    short = SCALE - exact.sum(-1, keepdims=True)
    np.put_along_axis(exact, most, np.take_along_axis(exact, most, -1) + short, -1)
    found: NDArray[np.uint16] = exact.astype(np.uint16)
    return found
