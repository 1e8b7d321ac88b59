"""A free batch where the graph computes each picture alone, and shapes as functions of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits import graphs
from kits.graphs import model, picture, pictures, residual, run

from shared.bundling.graph.batch import free_batch, single_batch
from shared.bundling.graph.reading import Graph
from shared.engines.openvino.runtime import operations
from shared.errors import ModelError

if TYPE_CHECKING:
    from shared.engines.openvino.runtime import ov

pytestmark = pytest.mark.slow  # compiles networks


def _asks_inside(graph: ov.Model) -> list[str]:
    read = Graph(graph)
    sources = [read.inputs[number][0][0] for number in read.of_type("ShapeOf")]
    return [read.types[source] for source in sources if read.types[source] != "Parameter"]


def _windows(given: ov.Node) -> ov.Node:
    """Folds 4x4 windows into the batch and back, by shapes that are computed from inner tensors."""
    stem = graphs.convolution(given, 3, 4, "stem")
    batch = operations.gather(operations.shape_of(stem), operations.constant([0]), operations.constant(0))
    shape = operations.concat([batch, operations.constant([4, 2, 4, 2, 4])], 0)
    opened = operations.reshape(stem, shape, special_zero=False)
    moved = operations.transpose(opened, operations.constant([0, 2, 4, 3, 5, 1]))
    folded = operations.reshape(moved, operations.constant([-1, 16, 4]), special_zero=False, name="folded")
    count = operations.gather(operations.shape_of(folded), operations.constant([0]), operations.constant(0))
    back = operations.concat(
        [operations.divide(count, operations.constant([4])), operations.constant([64, 4])], 0
    )
    return operations.reshape(operations.relu(folded), back, special_zero=False, name="back")


def test_a_batch_that_a_file_fixes_is_freed() -> None:
    given = picture((1, 3, 8, 8))
    freed = free_batch(model(given, residual(given)), pictures(2))
    assert freed is not None
    several = pictures(3)
    (together,) = run(freed, several)
    alone = np.concatenate([run(freed, each[None])[0] for each in several])
    assert together.shape == (3, 5)
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


def test_a_batch_written_into_the_graph_stays() -> None:
    given = picture((1, 3, 8, 8))
    turned = operations.reshape(residual(given), operations.constant([5, 1]), special_zero=False)
    graph = model(given, operations.transpose(turned, operations.constant([1, 0])))
    assert free_batch(graph, pictures(2)) is None
    single = single_batch(graph)
    assert run(single, pictures(1))[0].shape == (1, 5)


def test_a_graph_that_mixes_its_pictures_takes_one() -> None:
    given = picture()
    end = residual(given)
    mean = operations.reduce_mean(end, operations.constant([0]), keep_dims=True)
    assert free_batch(model(given, operations.subtract(end, mean)), pictures(2)) is None


def test_shapes_of_inner_tensors_become_functions_of_the_batch() -> None:
    given = picture()
    graph = model(given, _windows(given))
    assert len(_asks_inside(graph)) == 2
    expected = run(graph, pictures(3))[0]
    freed = free_batch(graph, pictures(2))
    assert freed is not None
    assert _asks_inside(freed) == []
    np.testing.assert_array_equal(run(freed, pictures(3))[0], expected)


def test_for_one_picture_all_shapes_are_constants() -> None:
    given = picture()
    graph = single_batch(model(given, _windows(given)))
    assert list(Graph(graph).of_type("ShapeOf")) == []
    assert run(graph, pictures(1))[0].shape == (1, 64, 4)


def test_what_takes_only_several_pictures_is_refused() -> None:
    given = picture((4, 3, 8, 8))
    halves = operations.reshape(given, operations.constant([2, 6, 8, 8]), special_zero=False)
    with pytest.raises(ModelError, match="openvino cannot take this network"):
        single_batch(model(given, halves))
