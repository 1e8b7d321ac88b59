"""The split points that are worth choosing from: the ends of a network's stages.

A ResNet-50 can be cut in forty places, but only a handful of them differ in bytes, time and balance.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.network.partition import SplitPoint

_NEAR = 0.05
"""Share of the network's work. A tensor of half the size that comes at most this much later is always the better choice."""
_WIDEST = 0.4
"""Largest share of the network's work between two choices: all tensors of a transformer have one shape, and its middle is wanted too."""


def stage_ends(points: Iterable[SplitPoint]) -> list[SplitPoint]:
    """The ends of a network's stages among all its split points, in its order, without `input` and `output`.

    An end is the last point of each run of points of one shape, unless a much smaller tensor follows soon. Long stages are
    divided.
    """
    inner = [point for point in points if point.name not in (INPUT, OUTPUT)]
    ends = [list(run)[-1] for _, run in itertools.groupby(inner, key=lambda point: point.shapes)]
    ends_found: list[SplitPoint] = []
    for index, end in enumerate(ends):
        if not _is_outdone(end, ends_found, ends[index + 1 :]):
            ends_found.append(end)
    bounds = [0.0, *map(_share, ends_found), 1.0]
    between = [
        min(inner, key=lambda point: (abs(_share(point) - goal), point.elements))
        for low, high in itertools.pairwise(bounds)
        for goal in _divided(low, high)
        if any(low < _share(point) < high for point in inner)
    ]
    chosen = {point.name for point in ends_found + between}
    return [point for point in inner if point.name in chosen]


def _is_outdone(end: SplitPoint, ends_found: list[SplitPoint], after: list[SplitPoint]) -> bool:
    if any(
        _share(end) - _share(other) <= 2 * _NEAR and other.elements <= end.elements for other in ends_found
    ):
        return True  # the wide middle of an inverted residual, or a reshaped tensor
    return any(_share(other) - _share(end) <= _NEAR and 2 * other.elements <= end.elements for other in after)


def _divided(low: float, high: float) -> list[float]:
    """The shares of work at which a stage that is too long is divided equally."""
    parts = math.ceil((high - low) / _WIDEST)
    return [low + (high - low) * part / parts for part in range(1, parts)]


def _share(point: SplitPoint) -> float:
    """The share of the network's work that is done before this point; 0 if there is no work to share."""
    return point.head_macs / max(1, point.head_macs + point.tail_macs)
