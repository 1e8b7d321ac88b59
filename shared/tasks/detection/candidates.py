"""Candidates: boxes with a score and a class, before and after the selection among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_CANDIDATES = 1000
"""Candidates among which `selected` selects: those with the highest scores."""
_BLOCK = 128
"""Candidates that are compared with each other at once."""


class Candidates(NamedTuple):
    """n boxes in pixels of the network's input."""

    corners: NDArray[np.float64]
    """(n, 4): x0, y0, x1, y1."""
    scores: NDArray[np.float64]
    """(n,), 0 … 1."""
    classes: NDArray[np.intp]
    """(n,)."""

    def at(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Candidates:
        """Those of `rows`, in their order."""
        return Candidates(self.corners[rows], self.scores[rows], self.classes[rows])


def best(scores: NDArray[np.floating], most: int) -> NDArray[np.intp]:
    """The positions of the `most` highest of scores (n,), the highest first; ties in order."""
    if len(scores) > most:
        reaching = np.partition(scores, len(scores) - most)[len(scores) - most]
        rows = np.flatnonzero(scores >= reaching)
        return rows[np.argsort(-scores[rows], kind="stable")[:most]]
    return np.argsort(-scores, kind="stable")


def selected(candidates: Candidates, most_overlap: float) -> Candidates:
    """Greedy non-maximum suppression within each class, the best first.

    The MAX_CANDIDATES candidates with the highest scores are gone through from the highest; one that overlaps a kept one of its
    class by more than `most_overlap` goes. Overlap is the intersection over the union of the two areas.
    """
    ranked = candidates.at(best(candidates.scores, MAX_CANDIDATES))
    if most_overlap >= 1:
        return ranked
    alive = np.ones(len(ranked.scores), np.bool_)
    for start in range(0, len(alive), _BLOCK):
        rows = slice(start, start + _BLOCK)
        block, earlier = ranked.at(rows), np.flatnonzero(alive[:start])
        if len(earlier):
            alive[rows] &= ~_same(block, ranked.at(earlier), most_overlap).any(1)
        same = _same(block, block, most_overlap)
        for row in np.flatnonzero(same.sum(1) > 1):  # the others overlap only themselves
            if alive[start + row]:
                alive[rows][row + 1 :] &= ~same[row, row + 1 :]
    return ranked.at(alive)


def _same(first: Candidates, second: Candidates, most_overlap: float) -> NDArray[np.bool_]:
    """(n, m): whether two boxes are taken for the same thing."""
    found: NDArray[np.bool_] = overlaps(first.corners, second.corners) > most_overlap
    found &= first.classes[:, None] == second.classes[None]
    return found


def overlaps(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 4) and (m, 4) -> (n, m): intersection over union, 0 where both are without area."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    sides = np.maximum(high - low, 0)
    common = sides[..., 0] * sides[..., 1]
    union = _areas(first)[:, None] + _areas(second)[None] - common
    found: NDArray[np.float64] = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return found


def _areas(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    sides = np.maximum(corners[:, 2:] - corners[:, :2], 0)
    areas: NDArray[np.float64] = sides[:, 0] * sides[:, 1]
    return areas
