"""The cheapest places of a graph where several tensors cross.

A place is a set of operations that holds whatever its members need; what crosses is what others need of it. Where one tensor
crosses, nothing else does, so the graph is searched in stretches from one such place to the next. In a stretch the cheapest
place is a minimum cut. Then what lies before it and what lies after it are searched alike, which makes all places of a network a
chain: the head of one is contained in the head of the next.
"""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, NamedTuple

from shared.bundling.graph.cuts import uses
from shared.bundling.graph.several.stretch import Stretch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.bundling.graph.reading import Graph, Value
    from shared.bundling.graph.several.stretch import Inside
    from shared.bundling.graph.values import Values

_NEAR = 0.05
"""Share of the network's work, before and after a place where one tensor crosses, in which several would have to be less than half
as large. Up to twice as far, several must not be larger: it grows with what they have more."""
_APART = 0.025
"""The same beside a place where several cross: within it, only the cheapest is taken."""


class Several(NamedTuple):
    """A place where several tensors cross."""

    values: tuple[Value, ...]
    """In order of execution."""
    work: int
    """MACs before it."""
    after: int
    """It lies between the places where one tensor crosses of this number and the next, in their order."""


class _Known(NamedTuple):
    """A place that others must be worth having beside."""

    order: tuple[int, int]
    work: int
    elements: int
    is_one: bool


class _Open(NamedTuple):
    """A part of a stretch, and its cheapest place."""

    stretch: Stretch
    low: frozenset[int]
    high: frozenset[int]
    left: int
    """MACs that must lie between `low` and a place."""
    right: int
    found: Inside


def several_crossings(
    graph: Graph, values: Values, soles: dict[Value, int], work: Sequence[int], outputs: Sequence[Value]
) -> list[Several]:
    """In the network's order. `soles` are the `sole_crossings`, `work` the graph's `work_before`, `outputs` the results' sources."""
    users = uses(graph, len(outputs))
    last = len(graph.operations) - 1
    ends = [*soles.values(), last]
    stretches = [
        Stretch(graph, values, users, work, number, start, (low, high))
        for number, (start, (low, high)) in enumerate(zip(soles, itertools.pairwise(ends), strict=True))
    ]
    search = _Search(work[-1])
    for number, (value, position) in enumerate(soles.items()):
        if (shape := values.shape(value)) is not None:
            search.know(_Known((number, 0), work[position], _elements([shape]), is_one=True))
    size = _elements([values.output(value) for value in outputs])
    search.know(_Known((len(soles), 0), work[-1], size, is_one=True))
    for stretch in stretches:
        if len(stretch.operations) > 1:
            for low, high in stretch.windows():
                search.open(stretch, low, high, 0, 0)
    return search.run()


class _Search:
    """Takes the cheapest place of all stretches, then the next one that is worth having beside it."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._known: list[_Known] = []
        self._open: list[tuple[int, int, _Open]] = []
        self._opened = itertools.count()
        self._taken: dict[tuple[int, int], Several] = {}

    def know(self, place: _Known) -> None:
        self._known.append(place)

    def open(
        self, stretch: Stretch, low: frozenset[int], high: frozenset[int], left: int, right: int
    ) -> None:
        found = stretch.cheapest(low, high, left, right)
        if found is not None:
            part = _Open(stretch, low, high, left, right, found)
            heapq.heappush(self._open, (found.elements, next(self._opened), part))

    def run(self) -> list[Several]:
        while self._open:
            self._look(heapq.heappop(self._open)[2])
        return [self._taken[order] for order in sorted(self._taken)]

    def _look(self, part: _Open) -> None:
        stretch, low, high, left, right, found = part
        order = (stretch.number, len(found.before))
        for known in self._known:
            reach = self._reach(known, found.elements)
            if reach is None or abs(found.work - known.work) > reach:
                continue
            if known.order < order or (known.order == order and found.before != high):
                left = max(left, known.work + reach + 1 - stretch.work_of(low))
            else:
                right = max(right, stretch.work_of(high) - (known.work - reach - 1))
            self.open(stretch, low, high, left, right)
            return
        if len(found.values) == 1:
            return
        self._taken[order] = Several(found.values, found.work, stretch.number)
        self.know(_Known(order, found.work, found.elements, is_one=False))
        apart = int(_APART * self._total) + 1
        self.open(stretch, low, found.before, left, apart)
        self.open(stretch, found.before, high, apart, right)

    def _reach(self, known: _Known, elements: int) -> int | None:
        """Up to so many MACs from `known`, a place of so many elements is not worth having; None if it is anywhere."""
        if known.is_one and known.elements > 2 * elements:
            return None
        times_as_large = min(2.0, max(1.0, elements / known.elements))
        return int((_NEAR if known.is_one else _APART) * self._total * times_as_large)


def _elements(shapes: Sequence[tuple[int, ...]]) -> int:
    total = 0
    for shape in shapes:
        elements = 1
        for length in shape:
            elements *= length
        total += elements
    return total
