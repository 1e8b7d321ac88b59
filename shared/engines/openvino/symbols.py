"""The two ends of a cut through a tensor that the network quantises: a head writes bytes, a tail reads them.

Both keep the network's own FakeQuantize, whose values are what crosses: in front of the cut with bytes for its levels, and behind it
once more, where it changes nothing. Without it OpenVINO would compute what follows in floating point, with other results.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.engines.openvino.runtime import operations, ov
from shared.errors import EngineError

if TYPE_CHECKING:
    from shared.network.grid import Grid
    from shared.network.partition import Shape

_LEVELS = 256


def quantiser_of(value: ov.Output) -> ov.Node:
    """The FakeQuantize that gives `value`. Raises EngineError."""
    node = value.get_node()
    if node.get_type_name() != "FakeQuantize":
        raise EngineError(
            f"{node.get_friendly_name()} is said to be quantised, and is not; make the bundle again"
        )
    return node


def written(result: ov.Node, grid: Grid) -> ov.Node:
    """A result of the symbols of the value that `result` holds, as the engine takes them: `Grid.native`. Raises EngineError."""
    quantiser = quantiser_of(result.input_value(0))
    source, low, high = (quantiser.input_value(number) for number in range(3))
    # Signed levels for a signed grid: with others OpenVINO rounds some values otherwise than inside the network.
    lowest = -128 if grid.signed else 0
    ends = [operations.constant(np.float32(each)) for each in (lowest, lowest + _LEVELS - 1)]
    levels = operations.fake_quantize(source, low, high, *ends, _LEVELS)
    return operations.result(operations.convert(levels, "i8" if grid.signed else "u8"))


def read(value: ov.Output, shape: Shape, grid: Grid, *, batch: int = -1) -> ov.Node:
    """Put a new input of symbols, (B, *shape), before the FakeQuantize that gives `value`, and those beside it, and return it.

    Raises EngineError.
    """
    quantiser = quantiser_of(value)
    given = operations.parameter([batch, *shape], np.int8 if grid.signed else np.uint8)
    values = operations.convert(given, "f32")
    if grid.zero_point and not grid.signed:
        values = operations.subtract(values, operations.constant(np.float32(grid.zero_point)))
    values = operations.multiply(values, operations.constant(np.float32(grid.scale)))
    inside = value.get_partial_shape()
    if inside.is_static and list(inside.to_shape()) != [batch, *shape]:
        values = operations.reshape(
            values, operations.constant(list(inside.to_shape()), np.int64), special_zero=False
        )
    for user in quantiser.input_value(0).get_target_inputs():  # each of its users may have one, all alike
        if user.get_node().get_type_name() == quantiser.get_type_name():
            user.replace_source_output(values.output(0))
    return given
