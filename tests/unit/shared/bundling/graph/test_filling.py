"""Outputs of any number of rows, filled up in the graph."""

from __future__ import annotations

import numpy as np
import pytest
from kits import graphs
from kits.graphs import model, picture

from shared.bundling.graph.filling import NOTHING, fill_up
from shared.bundling.graph.reading import Graph
from shared.engines.openvino.runtime import operations as ops
from shared.engines.openvino.runtime import ov
from shared.errors import ModelError

pytestmark = pytest.mark.slow  # compiles networks

SIDE = graphs.SIDE


def _bright(given: ov.Node) -> ov.Node:
    """(2, N): row and column of every bright pixel of the first channel."""
    first = ops.gather(given, ops.constant([0]), ops.constant(1))
    plane = ops.reshape(first, ops.constant([SIDE, SIDE]), special_zero=False)
    return ops.non_zero(ops.greater(plane, ops.constant(np.float32(0.5))), "i64")


def _pictures(counts: list[int]) -> list[np.ndarray]:
    """Each with so many bright pixels, in reading order."""
    found = []
    for count in counts:
        pixels = np.zeros((1, 3, SIDE * SIDE), np.float32)
        pixels[0, 0, :count] = 1
        found.append(pixels.reshape(1, 3, SIDE, SIDE))
    return found


def test_rows_of_minus_one_follow_what_is_found() -> None:
    given = picture((1, 3, SIDE, SIDE))
    places = _bright(given)
    turned = ops.transpose(places, ops.constant([1, 0]), name="places")
    column = ops.gather(places, ops.constant(0), ops.constant(0), name="column")
    boxes = ops.unsqueeze(ops.convert(turned, "f16"), ops.constant([0]), name="boxes")
    graph = model(given, places, turned, column, boxes)
    filled = fill_up(graph, ["places", "turned", "column", "boxes"])
    assert dict(filled.axes) == {0: 1, 1: 1, 2: 1, 3: 1}
    rows = filled.model.outputs[1].get_partial_shape()[0].get_length()
    assert rows == SIDE * SIDE, "OpenVINO knows that there are no more than pixels"
    shapes = [list(each.get_partial_shape().to_shape()) for each in filled.model.outputs]
    assert shapes == [[2, rows], [rows, 2], [rows], [1, rows, 2]]
    for pictures in _pictures([0, 1, 11, rows]):
        count = int(pictures.sum())
        wanted = np.stack(np.unravel_index(np.arange(count), (SIDE, SIDE)))
        found = graphs.run(filled.model, pictures)
        for each, right in zip(found, (wanted, wanted.T, wanted[0], wanted.T[None]), strict=True):
            assert each.dtype == np.float32
            axis = {shape: axis for axis, shape in enumerate(each.shape)}[rows]
            np.testing.assert_array_equal(np.take(each, range(count), axis), right)
            assert (np.take(each, range(count, rows), axis) == NOTHING).all()
    (note,) = filled.notes
    assert note.startswith(
        "of the outputs places, turned, column, boxes each picture has its own number of rows"
    )


def test_without_a_known_limit_300_rows_are_kept_and_the_others_cut_off() -> None:
    given = picture((1, 3, SIDE, SIDE))
    places = ops.transpose(_bright(given), ops.constant([1, 0]))
    many = ops.tile(places, ops.constant([9, 1]))
    count = ops.gather(ops.shape_of(places), ops.constant([0]), ops.constant(0))
    unknown = ops.reshape(
        many, ops.concat([ops.multiply(count, ops.constant([9])), ops.constant([2])], 0), special_zero=False
    )
    graph = model(given, unknown)
    limit = graph.outputs[0].get_partial_shape()[0].get_max_length()
    filled = fill_up(graph, ["many"])
    rows = filled.model.outputs[0].get_partial_shape()[0].get_length()
    assert rows == (300 if limit < 0 else limit)
    (picture_of_all,) = _pictures([SIDE * SIDE])
    (found,) = graphs.run(filled.model, picture_of_all)
    assert (found[: min(rows, 9 * SIDE * SIDE)] != NOTHING).all()


def test_outputs_of_a_fixed_size_stay_as_they_are() -> None:
    given = picture()
    graph = model(given, graphs.residual(given))
    filled = fill_up(graph, ["out"])
    assert filled.model is graph
    assert (dict(filled.axes), filled.notes) == ({}, ())


def test_several_dimensions_that_depend_on_the_picture_are_refused() -> None:
    given = picture((1, 3, SIDE, SIDE))
    places = ops.convert(_bright(given), "f32")
    square = ops.matmul(places, places, transpose_a=True, transpose_b=False)
    with pytest.raises(
        ModelError, match=r"size of the output square depends on the picture: .*one dimension"
    ):
        fill_up(model(given, places, square), ["places", "square"])


def test_what_is_asked_of_such_a_size_depends_on_the_picture() -> None:
    given = picture((1, 3, SIDE, SIDE))
    count = ops.shape_of(_bright(given), name="count")
    mean = ops.shape_of(ops.relu(given), name="size")
    graph = model(given, ops.relu(ops.convert(count, "f32")), ops.convert(mean, "f32"))
    read = Graph(graph)
    depends = dict(zip([each.get_friendly_name() for each in read.operations], read.on_picture, strict=True))
    assert (depends["count"], depends["size"]) == (True, False)
