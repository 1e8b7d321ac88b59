"""Outputs whose size depends on the picture, as the selection of boxes has them, filled up to a fixed one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shared.bundling.graph.reading import Graph, result_shapes_at
from shared.engines.openvino.runtime import operations, ov
from shared.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOTHING = -1.0
"""What fills rows that hold nothing. A score is never below 0."""
_USUAL_ROWS = 300
"""If OpenVINO knows no limit of them."""
_MAX_ROWS = 10_000


class Filled(NamedTuple):
    """A model whose outputs all have a fixed size."""

    model: ov.Model
    axes: Mapping[int, int]
    """By number of an output that was filled up, the dimension of its rows in (pictures, …)."""
    notes: tuple[str, ...]


def fill_up(model: ov.Model, outputs: Sequence[str]) -> Filled:
    """Fill rows of -1 behind those of the last results, given by name, that depend on the picture in one dimension.

    All get the same number of rows, as boxes and their scores belong together. Raises ModelError for an output that depends on the
    picture in several dimensions.
    """
    try:
        shapes = result_shapes_at(Graph(model), 1)[-len(outputs) :]
    except RuntimeError:  # it takes several pictures only, which is found out later
        return Filled(model, {}, ())
    axes: dict[int, int] = {}
    limits: list[int] = []
    for number, (shape, name) in enumerate(zip(shapes, outputs, strict=True)):
        dynamic = [axis for axis, length in enumerate(shape) if length.is_dynamic]
        if len(dynamic) > 1:
            raise ModelError(
                f"the size of the output {name} depends on the picture: {shape}; accepted: outputs of a fixed size, or in which "
                "one dimension depends on it"
            )
        if dynamic:
            axes[number] = dynamic[0]
            limits.append(shape[dynamic[0]].get_max_length())
    if not axes:
        return Filled(model, {}, ())
    known = [limit for limit in limits if limit > 0]
    rows = max(2, min(max(known, default=_USUAL_ROWS), _MAX_ROWS))
    results = list(model.get_results())
    first = len(results) - len(outputs)
    for number, axis in axes.items():
        results[first + number] = _filled(results[first + number], axis, rows)
    names = ", ".join(outputs[number] for number in axes)
    note = f"of the outputs {names} each picture has its own number of rows: filled up with {NOTHING:g} to {rows}, what is more is cut off"
    stacked = {number: max(axis, 1) for number, axis in axes.items()}
    return Filled(ov.Model(results, model.get_parameters(), model.get_friendly_name()), stacked, (note,))


def _filled(result: ov.Node, axis: int, rows: int) -> ov.Node:
    value = result.input_value(0)
    rank = len(value.get_partial_shape())
    if value.get_element_type() != ov.Type.f32:
        value = operations.convert(value, "f32").output(0)
    none = np.zeros(rank, np.int64)
    behind = none.copy()
    behind[axis] = rows
    padded = operations.pad(
        value,
        operations.constant(none),
        operations.constant(behind),
        "constant",
        operations.constant(np.float32(NOTHING)),
    )
    ends = [operations.constant(np.array([number], np.int64)) for number in (0, rows, 1, axis)]
    fixed = operations.result(operations.slice(padded, *ends))
    assert fixed.get_output_partial_shape(0)[axis].is_static
    fixed.set_friendly_name(result.get_friendly_name())
    return fixed
