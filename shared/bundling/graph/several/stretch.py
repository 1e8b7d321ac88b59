"""The operations between two places where one tensor crosses, and the cheapest places within."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

from shared.bundling.graph.several.minimum_cut import NEVER, SINK, SOURCE, FlowNetwork
from shared.limits import MAX_ELEMENTS, MAX_TENSORS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from shared.bundling.graph.reading import Graph, Value
    from shared.bundling.graph.values import Values


_MAX_OPERATIONS = 1000
"""Searched at once: a minimum cut takes time that grows faster than their number."""
_VIEWS = ("Reshape", "Squeeze", "Transpose", "Unsqueeze")


class Inside(NamedTuple):
    """A place in a stretch."""

    before: frozenset[int]
    """The stretch's operations that are computed before it."""
    values: tuple[Value, ...]
    """What crosses, in order of execution."""
    elements: int
    work: int
    """MACs before it, from the picture on."""


class Stretch:
    """A stretch; sets of its operations are called low and high where they bound a place's own set."""

    def __init__(
        self,
        graph: Graph,
        values: Values,
        users: Mapping[Value, Sequence[int]],
        work: Sequence[int],
        number: int,
        start: Value,
        bounds: tuple[int, int],
    ) -> None:
        """From behind the operation `bounds[0]`, where only `start` crosses, up to the operation `bounds[1]`.

        `users` are the graph's `uses`, `work` its `work_before`; `number` counts the stretches.
        """
        low, high = bounds
        self.number = number
        self.operations = [
            each
            for each in range(low + 1, high + 1)
            if graph.on_picture[each] and graph.types[each] != "Result"
        ]
        self._work_before = work[low]
        self._work = {each: work[each] - work[each - 1] for each in self.operations}
        inside = set(self.operations)
        produced = {
            each: [
                (each, port)
                for port in range(graph.operations[each].get_output_size())
                if (each, port) in users
            ]
            for each in self.operations
        }
        self._users = {value: users[value] for value in [start, *itertools.chain(*produced.values())]}
        self._start = start
        self._sizes: dict[Value, int] = {}
        for value in self._users:
            shape = values.shape(value)
            # A picture that crosses beside other tensors is worse than one that crosses alone.
            carried = shape is not None and graph.types[value[0]] != "Parameter"
            self._sizes[value] = math.prod(shape) if shape is not None and carried else NEVER
        self._price = {
            value: 8 * size + self._preference(graph, value) for value, size in self._sizes.items()
        }
        inputs = {
            each: [value for value in dict.fromkeys(graph.inputs[each]) if value in self._users]
            for each in self.operations
        }
        self._touched = {each: [*inputs[each], *produced[each]] for each in self.operations}
        self._groups = self._grouped(inputs)
        self._orders = _orders(self.operations, graph.inputs, inside)

    def _preference(self, graph: Graph, value: Value) -> int:
        """What decides between places of one size: few tensors, none of them a view of another, behind which work begins."""
        is_view = graph.types[value[0]] in _VIEWS
        return 4 + 2 * is_view + (not all(self._work.get(user) for user in self._users[value]))

    def windows(self) -> list[tuple[frozenset[int], frozenset[int]]]:
        """The stretch in parts that are small enough to be searched, as low and high: only the largest networks have several."""
        _, late = self._orders[-1]  # what is computed as late as it can be leaves the fewest tensors open
        bounds = [
            frozenset(late[:end])
            for end in (*range(0, len(self.operations), _MAX_OPERATIONS), len(self.operations))
        ]
        return list(itertools.pairwise(bounds))

    def work_of(self, before: Iterable[int]) -> int:
        """MACs from the picture up to these operations of the stretch."""
        return self._work_before + sum(map(self._work.__getitem__, before))

    def cheapest(self, low: frozenset[int], high: frozenset[int], left: int, right: int) -> Inside | None:
        """The place of the fewest elements among those that contain `low` and `left` MACs more, and lack `right` MACs of `high`.

        The last one if there are several, preferably where work begins: behind an activation, not before it. None if there is none.
        """
        found: list[Inside] = []
        for early, late in self._orders if left or right else self._orders[:1]:
            early_ones = self._first(early, high - low, left)
            late_ones = self._first(reversed(late), high - low, right)
            if early_ones is None or late_ones is None or early_ones & late_ones:
                continue
            place = self._cut(low | early_ones, high - late_ones)
            if place is not None:
                found.append(place)
        return min(found, key=lambda place: (place.elements, len(place.values)), default=None)

    def _first(self, order: Iterable[int], among: frozenset[int], work: int) -> frozenset[int] | None:
        """The first operations of `among` in this order that take `work` together; None if all take less."""
        taken: list[int] = []
        for each in order:
            if work <= 0:
                break
            if each in among:
                taken.append(each)
                work -= self._work[each]
        return frozenset(taken) if work <= 0 else None

    def _cut(self, low: frozenset[int], high: frozenset[int]) -> Inside | None:
        """The cheapest place between the two. Where more tensors would cross than may, each gets dearer, until few do."""
        extra = 0
        for dearer in (0, 1, 16, 1 << 30):
            before = self._minimum(low, high, extra * dearer)
            if before is None:
                return None
            values = tuple(sorted(value for value in self._users if self._crosses(value, before)))
            elements = sum(map(self._sizes.__getitem__, values))
            if len(values) <= MAX_TENSORS:
                return (
                    Inside(before, values, elements, self.work_of(before))
                    if elements <= MAX_ELEMENTS
                    else None
                )
            extra = elements
        return None

    def _crosses(self, value: Value, before: frozenset[int]) -> bool:
        is_there = value == self._start or value[0] in before
        return is_there and any(user not in before for user in self._users[value])

    def _minimum(self, low: frozenset[int], high: frozenset[int], extra: int) -> frozenset[int] | None:
        network = FlowNetwork()
        free = sorted(high - low)
        groups: dict[int, int] = {}
        nodes: dict[int, int] = {}
        for each in free:
            group = self._groups[each]
            if group not in groups:
                groups[group] = network.node()
            nodes[each] = groups[group]
        for value in dict.fromkeys(value for each in free for value in self._touched[each]):
            producer = nodes.get(value[0], SOURCE if value == self._start or value[0] in low else SINK)
            ends = {nodes.get(user, SINK): None for user in self._users[value] if user not in low}
            ends.pop(producer, None)
            if producer == SINK or not ends:
                continue
            crossing = network.node()
            price = self._price[value]
            network.arc(producer, crossing, NEVER if price >= NEVER else price + extra)
            for end in ends:
                network.arc(crossing, end, NEVER)
                if end != SINK and producer != SOURCE:  # whose user is before the cut is before it itself
                    network.arc(end, producer, NEVER)
        before = network.before_cut()
        return None if before is None else low | {each for each, node in nodes.items() if before[node]}

    def _grouped(self, inputs: Mapping[int, Sequence[Value]]) -> dict[int, int]:
        """By operation, the first one of those that are computed together: without work, of the value before alone, and no larger."""
        groups: dict[int, int] = {}
        for each in self.operations:
            groups[each] = each
            own = [value for value in self._touched[each] if value[0] == each]
            if len(inputs[each]) == len(own) == 1 and not self._work[each]:
                (before,), (after,) = inputs[each], own
                if (
                    before[0] in groups
                    and len(self._users[before]) == 1
                    and self._price[after] <= self._price[before]
                ):
                    groups[each] = groups[before[0]]
        return groups


def _orders(
    operations: Sequence[int], inputs: Sequence[Sequence[Value]], inside: set[int]
) -> list[tuple[list[int], list[int]]]:
    """Orders of execution: the graph's own; and the earliest first, with the latest last beside it."""
    depth: dict[int, int] = {}
    for each in operations:
        depth[each] = 1 + max((depth[source] for source, _ in inputs[each] if source in inside), default=0)
    height = dict.fromkeys(operations, 0)
    for each in reversed(operations):
        for source, _ in inputs[each]:
            if source in inside:
                height[source] = max(height[source], height[each] + 1)
    own = list(operations)
    early = sorted(operations, key=lambda each: (depth[each], each))
    late = sorted(operations, key=lambda each: (-height[each], each))
    return [(own, own), (early, late)]
