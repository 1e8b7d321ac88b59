"""Which values of a graph can travel, and in which shapes."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from shared.limits import MAX_RANK
from shared.network.partition import fits_the_wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.bundling.graph.reading import Graph, Shape, Value

_CARRIED = ("f32", "f16", "bf16", "f64")
"""Element types of activations. What is not float32 is converted where it is cut."""


class Values:
    """Shapes of values as they travel: without the batch dimension."""

    def __init__(
        self, graph: Graph, tables: Sequence[Sequence[Sequence[Shape | None]]], batch: int | None
    ) -> None:
        """`tables` are those of `shapes_at`: for one picture if `batch` is 1, else for one, two and three."""
        self._graph = graph
        self._tables = tables
        self._batch = batch
        self._shapes: dict[Value, Shape | None] = {}

    def shape(self, value: Value) -> Shape | None:
        """None if frames cannot carry it: it has no such shape, or is no activation."""
        if value not in self._shapes:
            shape = self._measured(value)
            self._shapes[value] = shape if shape and fits_the_wire("", (shape,)) else None
        return self._shapes[value]

    def output(self, value: Value) -> Shape:
        """The shape of an output, whose size is fixed, of any type and number of elements."""
        shape = self._tables[0][value[0]][value[1]]
        assert shape is not None, value
        return _of_one(shape) if self._batch else shape[1:] or (1,)

    def _measured(self, value: Value) -> Shape | None:
        if self._graph.output(value).get_element_type().to_string() not in _CARRIED:
            return None
        shapes = [table[value[0]][value[1]] for table in self._tables]
        first = shapes[0]
        if self._batch:
            return None if first is None else _of_one(first)
        if not first or any(
            shape != (number, *first[1:]) for number, shape in zip(itertools.count(1), shapes, strict=False)
        ):
            return None
        return first[1:] or None


def _of_one(shape: Shape) -> Shape:
    """One picture's shape: without a leading 1, or whole if it has none; without any 1 if it would be too long for a frame."""
    if len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
    if len(shape) > MAX_RANK:
        shape = tuple(length for length in shape if length != 1)
    return shape or (1,)
