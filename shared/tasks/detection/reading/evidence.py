"""What the values of outputs for a few pictures tell of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.tasks.detection.reading.pyramids import centres, pyramids

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.tasks.spec import Activation

_ROUNDING = 1e-3
_IN_GRID = 0.7
_NEARER = 0.8
_ALIKE = {"xyxy": "yxyx", "cxcywh": "xywh"}
"""Ways to write boxes down that only their places tell apart."""


def are_probabilities(values: NDArray[np.floating]) -> bool:
    """Whether all are 0 … 1."""
    return bool(values.min() >= -_ROUNDING and values.max() <= 1 + _ROUNDING)


def sum_to_one(values: NDArray[np.floating], axis: int = -1) -> bool:
    """Whether they are distributions along `axis`."""
    return are_probabilities(values) and bool(np.allclose(values.sum(axis), 1, atol=0.02))


def activation_of(values: NDArray[np.floating], *, exclusive: bool) -> Activation:
    """What makes probabilities of classes' values (…, K); `exclusive`: logits are of one distribution."""
    if are_probabilities(values):
        return "none"
    return "softmax" if exclusive else "sigmoid"


def kind_of(boxes: NDArray[np.floating]) -> str:
    """`xyxy` or `cxcywh` for boxes (…, 4): only of corners is the second never before the first."""
    rows = boxes.reshape(-1, 4)
    ordered = (rows[:, 2] >= rows[:, 0]) & (rows[:, 3] >= rows[:, 1])
    return "xyxy" if ordered.mean() > 0.99 else "cxcywh"


def units_of(boxes: NDArray[np.floating]) -> str:
    """`normalised` if boxes (…, 4) hardly leave the unit square, else `pixels`."""
    return "normalised" if np.quantile(np.abs(boxes), 0.98) <= 2 else "pixels"


def in_grid(boxes: NDArray[np.floating], size: tuple[int, int]) -> bool:
    """Whether the first numbers of boxes (n, A, 4), their centres or left sides, go along the places of a pyramid over `size`."""
    return any(
        follow(boxes[:, :, 0], centres(size, pyramid, innermost=innermost)[:, 0])
        for pyramid in pyramids(size, boxes.shape[1])
        for innermost in (False, True)
    )


def kind_by_places(boxes: NDArray[np.floating], size: tuple[int, int]) -> str:
    """`kind_of`, or the way that is like it if the middles of boxes (n, A, 4) are then clearly nearer to their places in a grid."""
    usual = kind_of(boxes)
    sides = np.array(size[::-1], np.float64)
    ways = [_middles(boxes, kind).mean(0) for kind in (usual, _ALIKE[usual])]
    if units_of(boxes) == "normalised":
        ways = [middles * sides for middles in ways]
    for pyramid in pyramids(size, boxes.shape[1]):
        for innermost in (False, True):
            grid = centres(size, pyramid, innermost=innermost)
            first, second = (float(np.abs(middles - grid).mean()) for middles in ways)
            near = ways[first > second]
            if follow(near[None, :, 0], grid[:, 0]) and follow(near[None, :, 1], grid[:, 1]):
                return _ALIKE[usual] if second < _NEARER * first else usual
    return usual


def _middles(boxes: NDArray[np.floating], kind: str) -> NDArray[np.float64]:
    """(n, A, 4) -> (n, A, 2): x and y."""
    first, second = boxes[..., :2].astype(np.float64), boxes[..., 2:]
    if kind == "cxcywh":
        return first
    middles: NDArray[np.float64] = first + second / 2 if kind == "xywh" else (first + second) / 2
    return middles[..., ::-1] if kind == "yxyx" else middles


def follow(values: NDArray[np.floating], expected: NDArray[np.floating]) -> bool:
    """Whether values (n, A) go up and down with `expected` (A,), as a box's centre does with its place in the grid."""
    mean = values.astype(np.float64).mean(0)
    if mean.std() == 0 or expected.std() == 0:
        return False
    return bool(np.corrcoef(mean, expected)[0, 1] > _IN_GRID)
