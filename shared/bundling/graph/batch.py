"""How many pictures a graph takes at once, and its shapes as functions of that number alone.

A tail has no picture, only a crossing and its batch. So every ShapeOf of an inner tensor is replaced by arithmetic on the batch,
which leaves ShapeOf of the picture only; `shared.engines.openvino.network.cut` supplies that one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.bundling.graph.reading import Graph, shapes_at
from shared.bundling.messages import first_line
from shared.engines.openvino.runtime import core, operations, ov, without_integers
from shared.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.bundling.graph.reading import Shape

_BATCHES = (1, 2, 3, 5)
"""Tried: two to find a line through the dimensions, two to see that it is one."""
_NEAR = 1e-4
"""Largest relative difference between a picture's outputs alone and in a batch. OpenVINO may choose other kernels."""


def free_batch(model: ov.Model, pictures: NDArray[np.float32]) -> ov.Model | None:
    """The model for any batch, or None if it does not compute each of several pictures as it computes one.

    `pictures` are two inputs, (2, C, H, W), on which that is tried.
    """
    free = model.clone()
    (parameter,) = free.get_parameters()
    shape = parameter.get_partial_shape()
    shape[0] = -1
    try:
        if parameter.get_partial_shape() != shape:
            free.reshape(shape)  # also rewrites common forms of a hard-coded batch
        graph = Graph(free)
        tables = [shapes_at(graph, batch) for batch in _BATCHES]
        if not _outputs_lead_with_batch(graph, tables) or not _rewrite_shapes(graph, tables):
            return None
        free.validate_nodes_and_infer_types()
        return free if _computes_each(free, pictures) else None
    except RuntimeError:
        return None


def single_batch(model: ov.Model) -> ov.Model:
    """The model for one picture, with all its shapes constant. Raises ModelError if it takes no single picture."""
    single = model.clone()
    (parameter,) = single.get_parameters()
    shape = parameter.get_partial_shape()
    shape[0] = 1
    try:
        if parameter.get_partial_shape() != shape:
            single.reshape(shape)
        graph = Graph(single)
        _rewrite_shapes(graph, [shapes_at(graph, 1)])
        single.validate_nodes_and_infer_types()
    except RuntimeError as error:
        raise ModelError(f"openvino cannot take this network: {first_line(error)}") from error
    return single


def _outputs_lead_with_batch(graph: Graph, tables: list[list[list[Shape | None]]]) -> bool:
    for result in graph.of_type("Result"):
        shapes = [table[result][0] for table in tables]
        if any(shape is None or not shape for shape in shapes):
            return False
        if any(shape != (batch, *shapes[0][1:]) for batch, shape in zip(_BATCHES, shapes, strict=True)):  # type: ignore[index]
            return False
    return True


def _rewrite_shapes(graph: Graph, tables: list[list[list[Shape | None]]]) -> bool:
    """Replace ShapeOf of inner tensors. Returns whether that was possible for all of them; for one batch it may be for some."""
    (parameter,) = graph.model.get_parameters()
    batches: dict[str, ov.Node] = {}
    for number in list(graph.of_type("ShapeOf")):
        source, port = graph.inputs[number][0]
        if graph.types[source] == "Constant" or (graph.types[source] == "Parameter" and len(tables) > 1):
            continue
        shapes = [table[source][port] for table in tables]
        line = _line(shapes)
        if line is None:
            if len(tables) > 1:
                return False
            continue  # it depends on what the picture shows
        slope, start = line
        asking = graph.operations[number]
        kind = asking.get_output_element_type(0)
        replacement = operations.constant(start, kind)
        if slope.any():
            name = kind.to_string()
            if name not in batches:
                shape = operations.shape_of(parameter, name)
                batches[name] = operations.gather(shape, operations.constant([0]), operations.constant(0))
            replacement = operations.add(
                operations.multiply(batches[name], operations.constant(slope, kind)), replacement
            )
        asking.output(0).replace(replacement.output(0))
    return True


def _line(shapes: list[Shape | None]) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """(slope, start) of each dimension as a function of the batch; None if there are no such numbers."""
    if any(shape is None for shape in shapes) or len({len(shape or ()) for shape in shapes}) != 1:
        return None
    rows = np.array(shapes, np.int64)
    slope = rows[1] - rows[0] if len(rows) > 1 else np.zeros_like(rows[0])
    start = rows[0] - slope * _BATCHES[0] if len(rows) > 1 else rows[0]
    fits = all((slope * batch + start == row).all() for batch, row in zip(_BATCHES, rows, strict=False))
    return (slope, start) if fits else None


def _computes_each(model: ov.Model, pictures: NDArray[np.float32]) -> bool:
    options = {"INFERENCE_PRECISION_HINT": "f32", **without_integers(model)}
    compiled = core().compile_model(model, "CPU", options)
    together = list(compiled(pictures).values())
    alone = [list(compiled(picture[None]).values()) for picture in pictures]
    return all(
        np.linalg.norm(both[index] - one[output][0]) <= _NEAR * np.linalg.norm(one[output][0])
        for index, one in enumerate(alone)
        for output, both in enumerate(together)
    )
