"""A model as lists."""

from __future__ import annotations

from kits.graphs import model, picture, residual

from shared.bundling.graph.reading import Graph


def test_an_operations_number_is_looked_up_in_any_clone() -> None:
    given = picture()
    graph = Graph(model(given, residual(given)))
    clones = graph.model.clone().get_ordered_ops()
    expected = list(range(len(clones)))
    operations, graph.operations = (
        graph.operations,
        [],
    )  # not searched: a large network has a result for each of its places
    assert [graph.number(each) for each in operations] == expected
    assert [each.get_type_name() for each in clones] == graph.types
