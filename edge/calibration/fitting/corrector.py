"""The corrector: ridge regression of the error on what was decoded, across channels, reduced to its strongest directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.codecs.calibrated.corrector import MIDDLE, MOST, Inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from shared.codecs.calibrated.quantiser import Reconstruction
    from shared.codecs.calibrated.symbol_coder import Symbols

    Pairs = Callable[[range], tuple[NDArray[np.float32], NDArray[np.float32]]]
    """What is predicted from, and the errors to predict, both (positions, channels), in the frames of these numbers."""

_SMALLEST = 1e-30
"""Keeps the regression solvable for tensors that never change, where there is nothing to predict."""
_SMALLEST_WHOLE = 0.01
"""The same where it is known how large inputs are: 0 … 127."""
_HELD_OUT = 4
_QUICK_EVERY = 3
_AT_ONCE = 16
RIDGES = (0.2, 0.05, 0.0125, 0.003)
"""Strengths of the ridge that are tried, in mean variances of a channel."""
_SAMPLE = 48
"""Frames that tell how large the values of each channel are."""
_REACH = 3.0
"""Root mean squares of a channel that its inputs reach to, and at least one step size. What is larger predicts no more: cut off at the
largest value, or far beyond, answers are up to 8 % further from the unsplit network's."""
_SPREAD = 6.0
"""Standard deviations of a latent to each side of its mean that are told apart."""
_MOST_WEIGHT = 127


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over the positions of some frames. C: channels."""

    gram: NDArray[np.float32]  # (C, C): given x given
    cross: NDArray[np.float32]  # (C, C): given x error
    given: NDArray[np.float32]  # (C,)
    errors: NDArray[np.float32]  # (C,)
    rows: int

    @classmethod
    def of(cls, pairs: Pairs, channels: int, numbers: range, *, every: int = 1) -> Moments:
        """The sums over the frames of these numbers, and in them over one of `every` so many positions."""
        gram: NDArray[np.float32] = np.zeros((channels, channels), np.float32)
        cross, first, last = gram.copy(), gram[0].copy(), gram[0].copy()
        rows = 0
        for start in range(0, len(numbers), _AT_ONCE):
            given, errors = (each[::every] for each in pairs(numbers[start : start + _AT_ONCE]))
            gram += given.T @ given
            cross += given.T @ errors
            first += given.sum(0)
            last += errors.sum(0)
            rows += len(given)
        return cls(gram, cross, first, last, rows)

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.gram + other.gram,
            self.cross + other.cross,
            self.given + other.given,
            self.errors + other.errors,
            self.rows + other.rows,
        )

    def centred(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The covariance of what is given, and that with the errors."""
        rows = np.float32(self.rows)
        first = self.given / rows
        gram: NDArray[np.float32] = self.gram / rows - np.outer(first, first)
        cross: NDArray[np.float32] = self.cross / rows - np.outer(first, self.errors / rows)
        return gram, cross


@dataclass(frozen=True, eq=False)
class Fitted:
    """A regression of reduced rank: error = (given - its mean) @ down @ up + mean error."""

    down: NDArray[np.float32]  # (C, rank)
    up: NDArray[np.float32]  # (rank, C), of orthonormal rows
    weights: NDArray[np.float32]  # (C, C), unreduced
    moments: Moments
    gram: NDArray[np.float32]


def _fitted(
    pairs: Pairs,
    frames: int,
    given: int,
    grid: tuple[int, int, int],
    rank: int,
    *,
    smallest: float,
    quick: bool,
) -> Fitted:
    """How strong the ridge is, the last quarter of the first `given` frames tells: a regression without them is tried on them."""
    rows, columns, channels = grid
    kept = given - given // _HELD_OUT
    ranges = range(kept), range(kept, given), range(given, frames)
    every = _QUICK_EVERY if quick and rows * columns > _QUICK_EVERY else 1
    tried, held, others = (Moments.of(pairs, channels, numbers, every=every) for numbers in ranges)
    ridge = _ridge(tried, held, smallest) if held.rows and tried.rows else RIDGES[0]
    moments = tried + held + others
    gram, cross = moments.centred()
    weights = _solved(gram, cross, ridge, smallest)
    _, directions = np.linalg.eigh(weights.T @ gram @ weights)
    directions = directions[:, ::-1][:, :rank]
    return Fitted(weights @ directions, directions.T, weights, moments, gram)


def fit_corrector(
    frames: NDArray[np.float32],
    symbols: Sequence[Symbols],
    decoder: Reconstruction,
    rank: int,
    given: int,
    *,
    quick: bool = False,
) -> dict[str, NDArray[Any]]:
    """That of the first two formats, which corrects values.

    `frames`: (frames, rows, columns, channels), with their `symbols`. `quick`: from a third of the positions.
    """
    channels = frames.shape[3]

    def pairs(numbers: range) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        decoded = np.stack([decoder.corrected(symbols[number]) for number in numbers])
        errors = frames[numbers.start : numbers.stop] - decoded
        return decoded.reshape(-1, channels), errors.reshape(-1, channels)

    found = _fitted(pairs, len(frames), given, frames.shape[1:], rank, smallest=_SMALLEST, quick=quick)
    # Both factors are kept in float16: only their product counts, so its magnitude is shared between them.
    size = np.sqrt(np.abs(found.down).max(0) + 1e-12)
    moments = found.moments
    first, last = moments.given / moments.rows, moments.errors / moments.rows
    return {
        "corrector_down": (found.down / size).astype(np.float16),
        "corrector_up": (found.up * size[:, None]).astype(np.float16),
        "corrector_bias": (last - first @ found.weights).astype(np.float32),
    }


def fit_whole_corrector(
    frames: NDArray[np.float32],
    symbols: Sequence[Symbols],
    decoder: Reconstruction,
    rank: int,
    given: int,
    *,
    quick: bool = False,
) -> dict[str, NDArray[Any]]:
    """That of the third format, in whole numbers. It is fitted to the inputs as the decoder rounds them.

    Takes what `fit_corrector` takes.
    """
    channels, signed = frames.shape[3], symbols[0].negative is not None
    sample = np.stack([decoder.units(found) for found in symbols[:: max(1, len(symbols) // _SAMPLE)]])
    size = np.sqrt((sample**2).mean((0, 1, 2)))
    inputs = ((MOST - MIDDLE if signed else MOST) / np.maximum(_REACH * size, 1)).astype(np.float32)
    reader = Inputs(inputs, signed)

    def pairs(numbers: range) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        units = np.stack([decoder.units(symbols[number]) for number in numbers])
        errors = decoder.in_steps(frames[numbers.start : numbers.stop]) - units
        return reader(units).reshape(-1, channels), errors.reshape(-1, channels)

    found = _fitted(pairs, len(frames), given, frames.shape[1:], rank, smallest=_SMALLEST_WHOLE, quick=quick)
    moments = found.moments
    first, last = moments.given / moments.rows, moments.errors / moments.rows
    size = np.maximum(np.abs(found.down).max(0), _SMALLEST) / _MOST_WEIGHT
    down = np.rint(found.down / size)
    spread = np.sqrt(np.maximum(((found.gram @ down) * down).sum(0), 1))
    factor = (MOST - MIDDLE) / (_SPREAD * spread)
    latent = np.stack([factor, MIDDLE - first @ down * factor]).astype(np.float32)
    up = found.up * (size / factor)[:, None]
    size = np.maximum(np.abs(up).max(0), _SMALLEST) / _MOST_WEIGHT
    up = np.rint(up / size)
    return {
        "corrector_inputs": inputs,
        "corrector_down": down.astype(np.int8),
        "corrector_latent": latent,
        "corrector_up": up.astype(np.int8),
        "corrector_outputs": np.stack([size, last - MIDDLE * up.sum(0) * size]).astype(np.float32),
    }


def _ridge(tried: Moments, held: Moments, smallest: float = _SMALLEST) -> float:
    """The ridge whose regression on some frames leaves the least error in others."""
    gram, cross = held.centred()

    def error(ridge: float) -> float:
        weights = _solved(*tried.centred(), ridge, smallest)
        return float(((gram @ weights) * weights).sum() - 2 * (cross * weights).sum())

    return min(RIDGES, key=error)


def _solved(
    gram: NDArray[np.float32], cross: NDArray[np.float32], ridge: float, smallest: float
) -> NDArray[np.float32]:
    eye = np.eye(len(gram), dtype=np.float32)
    weights: NDArray[np.float32] = np.linalg.solve(
        gram + max(ridge * float(np.diag(gram).mean()), smallest) * eye, cross
    )
    return weights
