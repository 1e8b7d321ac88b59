"""A bundle's network as an OpenVINO model, cut at any split point.

The model has a result at every split point (shared/bundling writes it). A head is the model up to one of these results, a tail is
the model with a new input in place of one; all of them share one set of constants, which are mapped from their file. Cutting
takes milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from shared.engines.openvino.runtime import core, operations, ov, reason
from shared.engines.openvino.symbols import read as read_symbols
from shared.engines.openvino.symbols import written
from shared.errors import EngineError
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.network.bundle import Bundle
    from shared.network.grid import Grid
    from shared.network.partition import SplitPoint

_T = TypeVar("_T")

BYTES = (ov.Type.u8, ov.Type.i8)
"""Symbols, in the forms of `Grid.native`."""


def read(bundle: Bundle) -> ov.Model:
    """The network of a bundle, with a result at every split point. Raises EngineError."""
    try:
        model = core().read_model(bundle.network)
    except RuntimeError as error:
        raise EngineError(
            f"{bundle.network}: not a network that openvino can read: {reason(error)}"
        ) from error
    present = {result.get_friendly_name() for result in model.get_results()}
    points = [point for name, point in bundle.partition.points.items() if name != INPUT]
    missing = [name for point in points for name in result_names(point) if name not in present]
    if missing:
        raise EngineError(
            f"{bundle.network}: no result {missing[0]!r}, though {len(points)} split points are listed; make the bundle again"
        )
    return model


def addresses(model: ov.Model) -> list[int]:
    """Where its constants lie: nearly all of them in their file, which is mapped as long as there is the model."""
    constants = [each for each in model.get_ops() if each.get_type_name() == "Constant"]
    return [each.data.ctypes.data for each in constants if each.get_element_type() != ov.Type.string]


def result_names(point: SplitPoint) -> list[str]:
    """The names of the model's results that hold what crosses at `point`, in order."""
    if len(point.shapes) == 1:
        return [f"split point {point.name}"]
    if point.name == OUTPUT:
        return [f"output {number}" for number in range(len(point.shapes))]
    return [f"split point {point.name} tensor {number}" for number in range(len(point.shapes))]


def passed(model: ov.Model, start: SplitPoint, end: SplitPoint) -> dict[int, int]:
    """By number of a tensor at `end`, that of the tensor at `start` which is the same: nothing is computed between them."""
    results = {result.get_friendly_name(): result for result in model.get_results()}

    def values(point: SplitPoint) -> list[tuple[str, int]]:
        found = [results[name].input_value(0) for name in result_names(point)]
        return [(value.get_node().get_name(), value.get_index()) for value in found]

    before = [] if start.name == INPUT else values(start)
    return {number: before.index(value) for number, value in enumerate(values(end)) if value in before}


def joined(
    computed: Sequence[_T], given: Sequence[_T] | Mapping[int, _T], through: Mapping[int, int]
) -> tuple[_T, ...]:
    """The tensors at a segment's end: what it computed and, where `passed` says so, what it was given."""
    rest = iter(computed)
    count = len(computed) + len(through)
    return tuple(given[through[number]] if number in through else next(rest) for number in range(count))


def cut(model: ov.Model, start: SplitPoint, end: SplitPoint, *, one_by_one: bool = False) -> ov.Model:
    """The segment from `start` to `end`; it shares the constants of `model`, which is left unchanged.

    Its inputs and outputs are (B, *shape); what is `passed` is none of the outputs: OpenVINO would give it the input's memory,
    also behind a Convert, and use that after the caller has freed it. `one_by_one`: the model takes one picture at a time, so B is 1, and what
    crosses may have another shape inside.
    """
    through = passed(model, start, end)
    model = model.clone()
    results = {result.get_friendly_name(): result for result in model.get_results()}
    name = f"{start.name} to {end.name}"
    given = model.get_parameters() if start.name == INPUT else []
    if one_by_one:
        _fix_shapes(model)
    if not given:
        for number, (crossing, shape) in enumerate(zip(result_names(start), start.shapes, strict=True)):
            value, grid = results[crossing].input_value(0), grid_of(start, number)
            given.append(
                read_symbols(value, shape, grid, batch=1 if one_by_one else -1)
                if grid
                else _replace(value, shape, one_by_one=one_by_one)
            )
        # A tail that needs the batch size reads it from the picture's shape in the model; a tail has no picture.
        for user in model.get_parameters()[0].output(0).get_target_inputs():
            if user.get_node().get_type_name() == "ShapeOf":
                user.get_node().output(0).replace(_picture_shape(model, given[0], user.get_node()))
    wanted = [number for number in range(len(end.shapes)) if number not in through]
    names = result_names(end)
    ends = [results[names[number]] for number in wanted]
    ends = [
        written(each, grid) if (grid := grid_of(end, number)) else each
        for each, number in zip(ends, wanted, strict=True)
    ]
    if one_by_one:
        ends = [_with_batch(each, end.shapes[number]) for each, number in zip(ends, wanted, strict=True)]
    return ov.Model(ends, given, name)


def grid_of(point: SplitPoint, number: int) -> Grid | None:
    """The grid of the tensor of this number at `point`, if the network quantises it."""
    return point.grids[number] if point.grids else None


def retype(model: ov.Model, element_type: ov.Type) -> ov.Model:
    """The same segment with this element type at its inputs and outputs, but for symbols, which stay bytes."""
    processing = ov.preprocess.PrePostProcessor(model)
    for number, each in enumerate(model.inputs):
        if each.get_element_type() not in BYTES:
            processing.input(number).tensor().set_element_type(element_type)
    for number, each in enumerate(model.outputs):
        if each.get_element_type() not in BYTES:
            processing.output(number).tensor().set_element_type(element_type)
    return processing.build()


def _replace(value: ov.Output, shape: tuple[int, ...], *, one_by_one: bool) -> ov.Node:
    """Put a new input (B, *shape) in place of `value` and return it."""
    given = operations.parameter([1 if one_by_one else -1, *shape], np.float32)
    inside = list(value.get_partial_shape().to_shape()) if one_by_one else None
    node = given
    if inside is not None and inside != [1, *shape]:
        node = operations.reshape(given, operations.constant(inside, np.int64), special_zero=False)
    for user in value.get_target_inputs():
        user.replace_source_output(node.output(0))
    return given


def _with_batch(result: ov.Node, shape: tuple[int, ...]) -> ov.Node:
    """A result (1, *shape) of the value that `result` holds."""
    value = result.input_value(0)
    if list(value.get_partial_shape().to_shape()) == [1, *shape]:
        return result
    return operations.result(
        operations.reshape(value, operations.constant([1, *shape], np.int64), special_zero=False)
    )


def _fix_shapes(model: ov.Model) -> None:
    """Replace every question for a shape by the answer: after a cut, whom it asks may be on the other side.

    A tensor whose shape depends on what the picture shows does not cross, so both are on one side.
    """
    for node in model.get_ordered_ops():
        if node.get_type_name() == "ShapeOf" and node.input_value(0).get_partial_shape().is_static:
            shape = list(node.input_value(0).get_partial_shape().to_shape())
            answer = operations.constant(shape, node.get_output_element_type(0))
            node.output(0).replace(answer.output(0))


def _picture_shape(model: ov.Model, given: ov.Node, asking: ov.Node) -> ov.Output:
    """(B, 3, H, W) in the element type of `asking`, a ShapeOf node; B is taken from `given`."""
    kind = asking.get_output_element_type(0).to_string()
    batch = operations.gather(
        operations.shape_of(given, kind), operations.constant([0]), operations.constant(0)
    )
    fixed = [each.get_length() for each in list(model.get_parameters()[0].get_partial_shape())[1:]]
    return operations.concat(
        [batch, operations.constant(fixed, asking.get_output_element_type(0))], 0
    ).output(0)
