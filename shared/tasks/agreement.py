"""What two answers to the same frame have in common."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


_SIGMAS = 1.96
LEAST = 1e-12
"""Probabilities below count as this in divergences, which would be infinite otherwise."""


class Agreement(NamedTuple):
    """For each of n frames, how much two answers hold and share: classes, boxes, pixels."""

    matched: NDArray[np.float64]
    """(n,): what both answers hold."""
    expected: NDArray[np.float64]
    """(n,): what the answer holds that is right by definition, the unsplit network's."""
    found: NDArray[np.float64]
    """(n,): what the other answer holds."""

    @property
    def share(self) -> float:
        """The F1 score over all frames, 0 … 1: where every answer holds one thing, the share of frames on which it is the same.

        1 if neither side holds anything.
        """
        total = float(self.expected.sum() + self.found.sum())
        return 2 * float(self.matched.sum()) / total if total else 1.0

    @property
    def kept(self) -> float:
        """The share of what was expected that was found (recall), 0 … 1; 1 if nothing was expected."""
        total = float(self.expected.sum())
        return float(self.matched.sum()) / total if total else 1.0

    @property
    def size(self) -> float:
        """How many independent things `share` is taken over, for an interval: the mean of both answers' sums."""
        return float(self.expected.sum() + self.found.sum()) / 2


def joined(parts: list[Agreement]) -> Agreement:
    """Those of several batches as one; at least one."""
    return Agreement(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def one_each(matched: NDArray[np.float64]) -> Agreement:
    """For answers that hold one thing each: `matched` (n,), 0 … 1, says how much of it is the same."""
    one = np.ones_like(matched)
    return Agreement(matched, one, one)


def wilson(share: float, count: float) -> tuple[float, float]:
    """The 95 % interval of a share of `count` things; all that is possible if there are none."""
    if count <= 0:
        return 0.0, 1.0
    z2 = _SIGMAS**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = _SIGMAS * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    return max(0.0, middle - half), min(1.0, middle + half)


_AS_PROBABLE = 0.8
"""Ratio of two classes' probabilities from which another precision may put either first."""


def likeness(expected: Mapping[int, float], found: Mapping[int, float]) -> float:
    """How much of the probabilities of classes is the same, 0 … 1; of several classes nothing if another one comes first that is not
    about as probable. Both hold their most probable classes, in that order, at least one.
    """
    (first, most), (other, said) = next(iter(expected.items())), next(iter(found.items()))
    if len(expected) == len(found) == 1 and first == other:
        return max(0.0, 1 - 2 * abs(most - said))
    if expected.get(other, 0.0) < _AS_PROBABLE * most:
        return 0.0
    least = min(expected.values())  # of those that were left out, at most
    shared = sum(min(each, expected.get(number, least)) for number, each in found.items())
    total = max(sum(expected.values()), sum(found.values()))
    return min(1.0, shared / total) if total else 1.0


def sum_of_twos(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kullback-Leibler, in nats, of probabilities (n, K) that are each one of two: the sum over the K, (n,)."""
    p, q = (np.clip(values, LEAST, 1 - LEAST) for values in (p, q))
    result: NDArray[np.float64] = (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).sum(1)
    return np.maximum(result, 0.0)


def sigmoid(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """1 / (1 + exp(-x)), which no value makes overflow."""
    found: NDArray[np.float64] = 0.5 * (1 + np.tanh(0.5 * values.astype(np.float64)))
    return found


def log_softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """The logarithms of the probabilities in rows of logits (n, K)."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(1, keepdims=True))
    return shifted
