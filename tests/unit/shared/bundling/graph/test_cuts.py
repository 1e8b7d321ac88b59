"""Places where one tensor crosses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kits import graphs
from kits.graphs import model, picture, residual

from shared.bundling.graph.cuts import sole_crossings
from shared.bundling.graph.reading import Graph
from shared.engines.openvino.runtime import operations

if TYPE_CHECKING:
    from shared.engines.openvino.runtime import ov


def _names(graph: ov.Model, outputs: int = 1) -> list[str]:
    read = Graph(graph)
    return [read.operations[number].get_friendly_name() for number, _ in sole_crossings(read, outputs)]


def test_beside_a_branch_nothing_can_be_cut() -> None:
    given = picture()
    assert _names(model(given, residual(given))) == ["picture", "stem", "add", "pool", "fc"]


def test_an_early_output_is_needed_to_the_end() -> None:
    given = picture()
    stem = graphs.convolution(given, 3, 4, "stem")
    first = operations.relu(stem, name="first")
    second = operations.sigmoid(first, name="second")
    assert _names(model(given, second, first), 2) == ["picture", "stem", "first"]


def test_what_depends_on_the_batch_alone_does_not_cross() -> None:
    given = picture()
    stem = graphs.convolution(given, 3, 4, "stem")
    tokens = operations.reshape(stem, operations.constant([0, 4, -1]), special_zero=True, name="tokens")
    batch = operations.gather(operations.shape_of(stem), operations.constant([0]), operations.constant(0))
    target = operations.concat([batch, operations.constant([4, 1])], 0)
    own = operations.broadcast(graphs.constant(1, 4, 1), target, name="class")
    joined = operations.concat([own, tokens], 2, name="joined")
    assert _names(model(given, joined)) == ["picture", "stem", "tokens", "joined"]


def test_of_an_operation_with_several_outputs_one_may_cross() -> None:
    given = picture((-1, 4, 8, 8))
    parts = operations.split(given, operations.constant(1), 2, name="parts")
    one = operations.relu(parts.output(1), name="one")
    assert _names(model(given, one)) == ["picture", "parts", "one"]
    both = operations.add(parts.output(0), operations.relu(parts.output(1)), name="both")
    assert _names(model(given, both)) == ["picture", "both"]


def test_results_at_split_points_change_nothing() -> None:
    given = picture()
    end = residual(given)
    inside = end.input_value(0).get_node().input_value(0).get_node().input_value(1).get_node()
    assert inside.get_friendly_name() == "relu"
    assert _names(model(given, inside, end)) == ["picture", "stem", "add", "pool", "fc"]
