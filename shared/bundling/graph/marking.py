"""From a model and its split points to the model of a bundle: one result for each, named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.bundling.graph.reading import Graph
from shared.engines.openvino.network import result_names
from shared.engines.openvino.runtime import operations, ov
from shared.network.partition import INPUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.bundling.graph.points import Place


def marked(model: ov.Model, places: Sequence[Place], outputs: int, name: str) -> ov.Model:
    """The model with results in the order of docs/bundle.md. What is not float32 is converted where it is cut."""
    graph = Graph(model)
    inner = [place for place in places if place.values and place.point.name != INPUT]
    # A value may cross at several places, alone and beside others.
    values = {
        value: graph.output(value) for value in sorted({value for place in inner for value in place.values})
    }
    ends = [result.input_value(0) for result in model.get_results()[-outputs:]]
    carried = {value: _as_float32(output) for value, output in values.items()}
    results = [
        _result(label, carried[value])
        for place in inner
        for label, value in zip(result_names(place.point), place.values, strict=True)
    ]
    labels = result_names(places[-1].point)
    results += [_result(label, _as_output(end)) for label, end in zip(labels, ends, strict=True)]
    return ov.Model(results, model.get_parameters(), name)


def _as_float32(value: ov.Output) -> ov.Output:
    """The value itself, or a float32 form of it that everything behind depends on."""
    if value.get_element_type() == ov.Type.f32:
        return value
    users = value.get_target_inputs()
    widened = operations.convert(value, "f32").output(0)
    narrowed = operations.convert(widened, value.get_element_type().to_string()).output(0)
    for user in users:
        user.replace_source_output(narrowed)
    return widened


def _as_output(value: ov.Output) -> ov.Output:
    """float32, and at least (B, 1)."""
    if value.get_element_type() != ov.Type.f32:
        value = operations.convert(value, "f32").output(0)
    shape = value.get_partial_shape()
    if len(shape) == 1 and shape[0].is_dynamic:
        value = operations.unsqueeze(value, operations.constant(1)).output(0)
    return value


def _result(label: str, value: ov.Output) -> ov.Node:
    result = operations.result(value)
    result.set_friendly_name(label)
    return result
