"""How two outputs of a detector for the same frame compare: as boxes, and before any selection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.tasks.detection.candidates import overlaps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.engines.half import Tensors
    from shared.tasks.detection.candidates import Candidates
    from shared.tasks.detection.reading.dense import Dense

LEAST_OVERLAP = 0.5
"""Intersection over union from which two boxes of a class are taken for the same."""
FLOOR = 0.01
"""Scores below count as this, and those above one less it as that: no threshold in use tells them apart."""
_SHIFT = 0.1
"""A corner off by this share of the box's side costs half a nat, for a box that is certain."""


def matches(expected: Candidates, found: Candidates) -> list[tuple[int, int]]:
    """Pairs of an expected box and one that was found, one to one.

    Those that were found are gone through from the highest score; each takes the expected box of its class that it overlaps most,
    of those that are left, if by LEAST_OVERLAP at least.
    """
    left = overlaps(found.corners, expected.corners)
    left[(found.classes[:, None] != expected.classes[None]) | (left < LEAST_OVERLAP)] = 0
    pairs = []
    for row in np.argsort(-found.scores, kind="stable"):
        if left.shape[1] and left[row].any():
            column = int(left[row].argmax())
            pairs.append((column, int(row)))
            left[:, column] = 0
    return pairs


def selected_divergence(expected: Candidates, found: Candidates) -> float:
    """In nats: matched boxes by their scores and corners, all others as if the other side had given them the score FLOOR."""
    pairs = matches(expected, found)
    first, second = (np.array(rows, np.intp) for rows in zip(*pairs, strict=True)) if pairs else ([], [])
    first, second = np.asarray(first, np.intp), np.asarray(second, np.intp)
    lost, new = np.delete(expected.scores, first), np.delete(found.scores, second)
    total = _by_score(expected.scores[first], found.scores[second]).sum()
    total += _by_score(lost, np.full_like(lost, FLOOR)).sum()
    total += _by_score(np.full_like(new, FLOOR), new).sum()
    total += _by_place(expected.scores[first], expected.corners[first], found.corners[second]).sum()
    return float(total)


def dense_divergence(form: Dense, expected: Tensors, found: Tensors) -> float:
    """In nats: at each place the Kullback-Leibler divergence of every class's score, as of one that is there or not; and for its
    box, weighted by the expected score, how far the corners are off.
    """
    scores, head = form.densities(expected)
    others, other_head = form.densities(found)
    best = scores.max(1)
    rows = np.flatnonzero(np.maximum(best, others.max(1)) > FLOOR)
    total = _by_score(scores[rows], others[rows]).sum()
    classes = scores[rows].argmax(1)
    boxes, other_boxes = (each.boxes(rows, classes) for each in (head, other_head))
    total += _by_place(best[rows], boxes, other_boxes).sum()
    return float(total)


def _by_score(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    p, q = (np.clip(values, FLOOR, 1 - FLOOR) for values in (p, q))
    found: NDArray[np.float64] = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    return np.maximum(found, 0)  # it is never negative, except by rounding


def _by_place(
    weights: NDArray[np.float64], expected: NDArray[np.float64], found: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n,): log(1 + d), where d is half the squared distance of the corners in units of _SHIFT of the box's sides.

    The square while it is small, as of a normal distribution; a box that is somewhere else costs no more than one that is lost.
    """
    sides = np.maximum(np.tile(expected[:, 2:] - expected[:, :2], 2), 1.0)  # a pixel at least
    distances = 0.5 * (((found - expected) / (_SHIFT * sides)) ** 2).sum(1)
    result: NDArray[np.float64] = weights * np.log1p(distances)
    return result
