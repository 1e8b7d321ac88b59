"""A network as an OpenVINO model: converted once as a whole, then cut at any split point.

The conversion traces the network's fx graph with a result at every split point. A head is the model up to one of these
results, a tail is the model with a new input in place of one; all of them share one set of constants. A network is converted
once (seconds) and cached on disk; cutting it at any split point then takes milliseconds.
"""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from shared.engines.openvino.runtime import core, operations, ov
from shared.errors import EngineError
from shared.network.partition import INPUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.network.partition import Partition, SplitPoint

_MARK = "split point "


def convert(partition: Partition) -> ov.Model:
    """The whole network with a result at every split point, for any batch size. Raises EngineError if it has no conversion."""
    import torch  # noqa: PLC0415 - reading a network from disk needs no torch

    example = torch.zeros(1, *partition.input_shape)
    try:
        with _own_log(), warnings.catch_warnings():  # the tracer warns wherever a network looks at a shape
            warnings.simplefilter("ignore")
            model = ov.convert_model(
                partition.crossings(), example_input=example, input=[-1, *partition.input_shape]
            )
    except Exception as error:
        raise EngineError(f"openvino cannot take this network: {_first_line(error)}") from error
    for name, result in zip(partition.points, model.get_results(), strict=True):
        result.set_friendly_name(_MARK + name)
    return model


@contextmanager
def _own_log() -> Iterator[None]:
    """Restore the root logger, which OpenVINO's converter changes and leaves changed when it fails."""
    root = logging.getLogger()
    level, handlers, filters = root.level, root.handlers[:], root.filters[:]
    try:
        yield
    finally:
        root.setLevel(level)
        root.handlers[:], root.filters[:] = handlers, filters


def save(model: ov.Model, path: Path) -> None:
    """Write the model to `path` (.xml) and its constants beside it (.bin), in float32."""
    ov.save_model(model, path, compress_to_fp16=False)


def read(path: Path) -> ov.Model:
    """Read what `save` wrote; the constants are mapped from their file. Raises EngineError."""
    try:
        return core().read_model(path)
    except RuntimeError as error:
        raise EngineError(f"{path}: not a network that openvino can read: {_first_line(error)}") from error


def cut(model: ov.Model, start: SplitPoint, end: SplitPoint) -> ov.Model:
    """The segment from `start` to `end`; it shares the constants of `model`, which is left unchanged."""
    model = model.clone()
    results = {result.get_friendly_name().removeprefix(_MARK): result for result in model.get_results()}
    name = f"{start.name} to {end.name}"
    if start.name == INPUT:
        return ov.Model([results[end.name]], model.get_parameters(), name)
    given = operations.parameter([-1, *start.shape], np.float32)
    for user in results[start.name].input_value(0).get_target_inputs():
        user.replace_source_output(given.output(0))
    # A tail that needs the batch size reads it from the picture's shape in the conversion; a tail has no picture.
    for user in model.get_parameters()[0].output(0).get_target_inputs():
        if user.get_node().get_type_name() == "ShapeOf":
            user.get_node().output(0).replace(_picture_shape(model, given, user.get_node()))
    return ov.Model([results[end.name]], [given], name)


def retype(model: ov.Model, element_type: ov.Type) -> ov.Model:
    """The same segment with this element type at its input and output."""
    processing = ov.preprocess.PrePostProcessor(model)
    processing.input().tensor().set_element_type(element_type)
    processing.output().tensor().set_element_type(element_type)
    return processing.build()


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


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
