"""The split points that are worth choosing from: the ends of a network's stages.

A ResNet-50 can be cut at forty places; for bytes, time and balance only a handful of them differ.
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
"""Of the network's work: a tensor of half the size this little later is always the better choice."""
_WIDEST = 0.4
"""Of the network's work between two choices; a transformer's tensors all have one shape, and its middle counts too."""


def stage_ends(points: Iterable[SplitPoint]) -> list[SplitPoint]:
    """Of all split points of a network, in its order; without `input` and `output`.

    The last point of each run of one shape, unless a much smaller tensor follows at once; long stages are divided.
    """
    inner = [point for point in points if point.name not in (INPUT, OUTPUT)]
    ends = [list(run)[-1] for _, run in itertools.groupby(inner, key=lambda point: point.shape)]
    kept: list[SplitPoint] = []
    for index, end in enumerate(ends):
        if not _is_outdone(end, kept, ends[index + 1 :]):
            kept.append(end)
    bounds = [0.0, *map(_share, kept), 1.0]
    between = [
        min(inner, key=lambda point: (abs(_share(point) - goal), point.elements))
        for low, high in itertools.pairwise(bounds)
        for goal in _divided(low, high)
        if any(low < _share(point) < high for point in inner)
    ]
    chosen = {point.name for point in kept + between}
    return [point for point in inner if point.name in chosen]


def _is_outdone(end: SplitPoint, kept: list[SplitPoint], after: list[SplitPoint]) -> bool:
    if any(_share(end) - _share(other) <= 2 * _NEAR and other.elements <= end.elements for other in kept):
        return True  # the wide middle of an inverted residual, or the same tensor in another shape
    return any(_share(other) - _share(end) <= _NEAR and 2 * other.elements <= end.elements for other in after)


def _divided(low: float, high: float) -> list[float]:
    """Where to divide a stretch that is too long, in equal parts."""
    parts = math.ceil((high - low) / _WIDEST)
    return [low + (high - low) * part / parts for part in range(1, parts)]


def _share(point: SplitPoint) -> float:
    """Of the network's work that is done at this point."""
    return point.head_macs / (point.head_macs + point.tail_macs)
