"""The task, and the names of classes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from kits.graphs import model, picture, residual

from shared.bundling.sources.source import Source
from shared.bundling.task import labels_for, task_of
from shared.engines.openvino.runtime import operations
from shared.errors import ModelError
from shared.network.recipe import Recipe
from shared.tasks.spec import TaskSpec

if TYPE_CHECKING:
    from shared.engines.openvino.runtime import ov


def test_the_graphs_end_says_what_its_output_is() -> None:
    given = picture()
    end = residual(given)
    probabilities = operations.softmax(end, 1)
    cases: list[tuple[ov.Node, tuple[int, ...], TaskSpec]] = [
        (end, (5,), TaskSpec("classify", "softmax")),
        (end, (5, 1, 1), TaskSpec("classify", "softmax")),
        (end, (1,), TaskSpec("classify", "sigmoid")),
        (probabilities, (5,), TaskSpec("classify", "none")),
        (operations.sigmoid(end), (5,), TaskSpec("classify", "none")),
        (
            operations.reshape(probabilities, operations.constant([-1, 5]), False),
            (5,),
            TaskSpec("classify", "none"),
        ),
        (operations.relu(probabilities), (5,), TaskSpec("classify", "softmax")),
        (end, (5, 2), TaskSpec("raw", "none")),
    ]
    for node, shape, expected in cases:
        assert task_of(model(given, node), [shape]) == expected, (node, shape)
    assert task_of(model(given, end, probabilities), [(5,), (5,)]) == TaskSpec("raw", "none")


def _source(labels: tuple[str, ...]) -> Source:
    given = picture()
    recipe = Recipe(8, 8, (0.0,) * 3, (1.0,) * 3)
    source = Source("tiny", "", model(given, residual(given)), ("out",), recipe, (), {}, None)
    return replace(source, labels=labels)


def test_every_class_has_a_name() -> None:
    spec = TaskSpec("classify")
    assert labels_for(_source(("a", "b")), spec, [(2,)], None) == (("a", "b"), ())
    labels, notes = labels_for(_source(()), spec, [(2,)], None)
    assert labels == ("class 0", "class 1")
    assert "--labels" in notes[0]
    assert "3 labels for 2 classes" in labels_for(_source(("a", "b", "c")), spec, [(2,)], None)[1][0]
    with pytest.raises(ModelError, match=r"labels l.txt: 3 names; accepted: 2"):
        labels_for(_source(("a", "b", "c")), spec, [(2,)], "l.txt")
    assert labels_for(_source(("a",)), TaskSpec("raw", "none"), [(2, 3)], None) == (("a",), ())
