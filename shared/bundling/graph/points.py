"""The split points of a graph: their places, names, shapes and work."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shared.bundling.graph.cuts import sole_crossings
from shared.bundling.graph.macs import work_before
from shared.bundling.graph.names import clean_name, joint_name, unique_name, within
from shared.bundling.graph.reading import Graph, shapes_at
from shared.bundling.graph.several.places import several_crossings
from shared.bundling.graph.values import Values
from shared.network.partition import INPUT, OUTPUT, SplitPoint, fits_the_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.bundling.graph.reading import Shape, Value
    from shared.engines.openvino.runtime import ov


class Place(NamedTuple):
    """A split point and its values in the graph; none for the outputs, which are those of the model's results."""

    point: SplitPoint
    values: tuple[Value, ...]
    work: int
    """The graph's own MACs up to here, which may be others than the point's."""


def find_places(
    model: ov.Model,
    batch: int | None,
    *,
    known: Sequence[SplitPoint],
    outputs: Sequence[str],
    is_given: Callable[[str], bool],
) -> list[Place]:
    """All split points of `model`, `input` first and `output` last: where one tensor crosses, and the cheapest places where several do.

    The model's results are those of `known` and then its `outputs`, each of a fixed size. Known points keep names, shapes and MACs.
    Beside them, only places where one tensor crosses are listed whose shape differs from both neighbours' (a view between two of
    them). `batch` is None for a free one. `is_given` is that of `clean_name`.
    """
    return _Finder(model, batch, known, len(outputs), is_given).find()


class _Finder:
    """Finds the places of one model."""

    def __init__(
        self,
        model: ov.Model,
        batch: int | None,
        known: Sequence[SplitPoint],
        outputs: int,
        is_given: Callable[[str], bool],
    ) -> None:
        self._graph = graph = Graph(model)
        tables = [shapes_at(graph, each) for each in ((1,) if batch else (1, 2, 3))]
        self._values = Values(graph, tables, batch)
        self._work = work_before(graph, tables[0])
        self._is_given = is_given
        results = [graph.inputs[graph.number(result)][0] for result in model.get_results()]
        self._ends = results[-outputs:]
        self._end_shapes = tuple(map(self._values.output, self._ends))
        self._soles = sole_crossings(graph, outputs)
        self._known = known
        self._total = known[0].tail_macs if known else self._work[-1]
        self._taken = {INPUT, OUTPUT, *(point.name for point in known)}
        self._places = [
            Place(point, (value,), self._work[value[0]]) for point, value in zip(known, results, strict=False)
        ]

    def find(self) -> list[Place]:
        for value in self._soles:
            shape = self._values.shape(value)
            if shape is not None and value not in self._ends:
                self._add_one(value, shape)
        several = several_crossings(self._graph, self._values, self._soles, self._work, self._ends)
        positions = list(self._soles.values())
        for each in several:
            # What crosses alone further on is computed further on.
            index = sum(
                len(place.values) > 1 or place.values[0][0] <= positions[each.after] for place in self._places
            )
            self._add(index, self._name_of_several(each.values), each.values, each.work)
        return [
            *self._places,
            Place(SplitPoint(OUTPUT, self._end_shapes, self._total, 0), (), self._work[-1]),
        ]

    def _add_one(self, value: Value, shape: Shape) -> None:
        if any(place.values == (value,) for place in self._places):
            return
        index = sum(place.values[0] < value for place in self._places)
        before, after = self._neighbours(index)
        if self._known and (shape,) in (
            before.point.shapes if before else (),
            after.point.shapes if after else self._end_shapes,
        ):
            return
        name = INPUT
        if self._graph.types[value[0]] != "Parameter":
            name = self._clean_name(value)
            if before and after and "." not in name:
                name = within(before.point.name, after.point.name, name)
            name = unique_name(name, self._taken)
        self._add(index, name, (value,), self._work[value[0]])

    def _add(self, index: int, name: str, values: tuple[Value, ...], work: int) -> None:
        shapes = tuple(shape for value in values if (shape := self._values.shape(value)) is not None)
        if not fits_the_wire(name, shapes):
            return
        self._taken.add(name)
        before, after = self._neighbours(index)
        done = before.point.head_macs + work - before.work if before else work
        done = min(done, after.point.head_macs if after else self._total)
        self._places.insert(index, Place(SplitPoint(name, shapes, done, self._total - done), values, work))

    def _neighbours(self, index: int) -> tuple[Place | None, Place | None]:
        """The places before and after a new one at `index`."""
        before = self._places[index - 1] if index else None
        return before, self._places[index] if index < len(self._places) else None

    def _name_of_several(self, values: Sequence[Value]) -> str:
        return unique_name(joint_name(list(map(self._clean_name, values))), self._taken)

    def _clean_name(self, value: Value) -> str:
        operation = self._graph.operations[value[0]]
        names = [operation.get_friendly_name(), *sorted(operation.output(value[1]).get_names())]
        return clean_name(names, self._graph.types[value[0]], self._is_given)
