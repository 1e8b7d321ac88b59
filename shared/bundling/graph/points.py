"""The split points of a graph: their places, names, shapes and work."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from shared.bundling.graph.cuts import sole_crossings
from shared.bundling.graph.macs import work_before
from shared.bundling.graph.names import clean_name, unique_name, within
from shared.bundling.graph.reading import Graph, shapes_at
from shared.errors import ModelError
from shared.limits import MAX_RANK
from shared.network.manifest import fits_the_wire
from shared.network.partition import INPUT, OUTPUT, SplitPoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.bundling.graph.reading import Shape, Value
    from shared.engines.openvino.runtime import ov

_CARRIED = ("f32", "f16", "bf16", "f64")
"""Element types of activations. What is not float32 is converted where it is cut."""


class Place(NamedTuple):
    """A split point and its value in the graph; the outputs' values are those of the model's results."""

    point: SplitPoint
    value: Value | None


def find_places(
    model: ov.Model,
    batch: int | None,
    *,
    known: Sequence[SplitPoint],
    outputs: Sequence[str],
    is_given: Callable[[str], bool],
) -> list[Place]:
    """All split points of `model`, `input` first and `output` last.

    The model's results are those of `known` and then its `outputs`, given by name. Known points keep names, shapes and MACs. Beside them, only
    places are listed whose shape differs from both neighbours' (a view between two of them). `batch` is None for a free one.
    `is_given` is that of `clean_name`. Raises ModelError for outputs without a fixed size.
    """
    graph = Graph(model)
    tables = [shapes_at(graph, each) for each in ((1,) if batch else (1, 2, 3))]
    work = work_before(graph, tables[0])
    results = [graph.inputs[graph.number(result)][0] for result in model.get_results()]
    ends = results[-len(outputs) :]
    places = [Place(point, value) for point, value in zip(known, results, strict=False)]
    total = known[0].tail_macs if known else work[-1]
    measured = _Measured(graph, tables, batch)
    end_shapes = tuple(measured.output(value, name) for value, name in zip(ends, outputs, strict=True))
    taken = {INPUT, OUTPUT, *(point.name for point in known)}
    for value in sole_crossings(graph, len(outputs)):
        shape = measured.shape(value)
        if shape is None or value in ends or any(value == place.value for place in places):
            continue
        index = sum(place.value is not None and place.value < value for place in places)
        before = places[index - 1] if index else None
        after = places[index] if index < len(places) else None
        if known and shape in ((before and before.point.shapes) or ()) + (
            after.point.shapes if after else end_shapes
        ):
            continue
        name = INPUT
        if graph.types[value[0]] != "Parameter":
            name = clean_name(_names(graph, value), graph.types[value[0]], is_given)
            if before and after and "." not in name:
                name = within(before.point.name, after.point.name, name)
            name = unique_name(name, taken)
        if not fits_the_wire(name, shape):
            continue
        taken.add(name)
        done = work[value[0]]
        if before and before.value:
            done = before.point.head_macs + done - work[before.value[0]]
        done = min(done, after.point.head_macs if after else total)
        places.insert(index, Place(SplitPoint(name, (shape,), done, total - done), value))
    return [*places, Place(SplitPoint(OUTPUT, end_shapes, total, 0), None)]


def _names(graph: Graph, value: Value) -> list[str]:
    """The operation's name, then its tensor's names."""
    operation = graph.operations[value[0]]
    return [operation.get_friendly_name(), *sorted(operation.output(value[1]).get_names())]


class _Measured:
    """Shapes of values as they travel."""

    def __init__(
        self, graph: Graph, tables: Sequence[Sequence[Sequence[Shape | None]]], batch: int | None
    ) -> None:
        self._graph = graph
        self._tables = tables
        self._batch = batch

    def shape(self, value: Value) -> Shape | None:
        """Without the batch dimension; None if it has no such shape or is no activation."""
        if self._graph.output(value).get_element_type().to_string() not in _CARRIED:
            return None
        shapes = [table[value[0]][value[1]] for table in self._tables]
        if self._batch:
            return None if shapes[0] is None else _of_one(shapes[0])
        first = shapes[0]
        if not first or any(
            shape != (number, *first[1:]) for number, shape in zip(itertools.count(1), shapes, strict=False)
        ):
            return None
        return first[1:] or None

    def output(self, value: Value, name: str) -> Shape:
        """An output's, of any type. Raises ModelError if it depends on the picture."""
        shape = self._tables[0][value[0]][value[1]]
        if shape is None:
            raise ModelError(
                f"the size of the output {name} depends on the picture: {self._graph.output(value).get_partial_shape()}; "
                "accepted: outputs of a fixed size, as before the selection of boxes"
            )
        return _of_one(shape) if self._batch else shape[1:] or (1,)


def _of_one(shape: Shape) -> Shape:
    """One picture's shape: without a leading 1, or whole if it has none; without any 1 if it would be too long for a frame."""
    if len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
    if len(shape) > MAX_RANK:
        shape = tuple(length for length in shape if length != 1)
    return shape or (1,)
