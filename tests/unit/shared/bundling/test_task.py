"""The task, and the names of classes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.graphs import model, picture, residual

from shared.bundling.seen import see
from shared.bundling.sources.source import Source
from shared.bundling.task import describe_task, labels_for, task_of
from shared.engines.openvino.runtime import operations
from shared.errors import ModelError
from shared.network.recipe import Recipe
from shared.tasks.spec import TaskSpec

if TYPE_CHECKING:
    from shared.engines.openvino.runtime import ov
    from shared.tasks.seen import Seen

RAW = TaskSpec("raw", "none")


def _source(labels: tuple[str, ...] = (), outputs: tuple[str, ...] = ("out",)) -> Source:
    given = picture()
    recipe = Recipe(8, 8, (0.0,) * 3, (1.0,) * 3)
    source = Source("tiny", "", model(given, residual(given)), outputs, recipe, (), {}, None)
    return replace(source, labels=labels)


def seen_of(graph: ov.Model, *shapes: tuple[int, ...], labels: tuple[str, ...] = ()) -> Seen:
    rng = np.random.default_rng(0)
    samples = tuple(rng.normal(size=(2, *shape)).astype(np.float32) for shape in shapes)
    names = tuple(f"out {index}" for index in range(len(shapes)))
    return see(_source(labels, names), graph, shapes, samples)


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
        (end, (5, 2), RAW),
    ]
    for node, shape, expected in cases:
        found, notes = task_of(seen_of(model(given, node), shape), None)
        assert found == expected, (node, shape)
        assert bool(notes) == (expected == RAW), (node, shape)
    assert task_of(seen_of(model(given, end, probabilities), (5,), (5,)), None)[0] == RAW


def test_whole_numbers_are_seen_through_what_converts_them() -> None:
    given = picture()
    end = residual(given)
    best = operations.topk(end, operations.constant(1), 1, "max", "value")
    numbers = operations.convert(best.output(1), "f32")
    squeezed = operations.reshape(numbers, operations.constant([-1]), False)
    for node, whole in ((squeezed, True), (end, False)):
        assert seen_of(model(given, node), (1,)).whole == (whole,), node


def test_a_task_that_is_not_seen_is_raw_and_the_note_says_what_there_is() -> None:
    given = picture()
    _, (note,) = task_of(seen_of(model(given, residual(given)), (5, 2)), None)
    for part in ("the output out 0 (5, 2)", "--task", "detect:form=NAME", "yolov8", "(4 + K, A)", "segment"):
        assert part in note


def test_a_task_that_the_user_names() -> None:
    given = picture()
    graph = model(given, residual(given))
    cases: list[tuple[str, TaskSpec]] = [
        ("raw", RAW),
        ("classify", TaskSpec("classify", "softmax")),
        ("classify:activation=sigmoid", TaskSpec("classify", "sigmoid")),
    ]
    for text, expected in cases:
        assert task_of(seen_of(graph, (5,)), text) == (expected, ()), text
    refused: list[tuple[str, tuple[int, ...], str]] = [
        ("classify:activation=tanh", (5,), "activation=tanh; accepted: softmax, sigmoid, none"),
        ("classify:top=3", (5,), "no option top"),
        ("raw:top=3", (5,), "no option top; there is none"),
        ("classify", (5, 2), r"shape \(5, 2\)"),
        ("segment", (5,), r"shape \(5,\)"),
        ("detekt", (5,), "did you mean detect"),
        ("detect", (5,), "none fits by itself; .*yolov8: .*"),
        ("detect:form=yolov9", (5, 2), "form=yolov9; accepted: .*yolov8"),
        ("detect:form=rows", (5, 2), r"the output out 0 \(5, 2\) do.* not fit the form rows"),
        ("detect:form=rows,columns=x0", (5, 2), "columns=x0; needed"),
        ("detect:form=yolov8,colour=red", (5, 84), "no option colour"),
        ("Detect", (5,), "accepted: NAME"),
        ("detect:form", (5,), "accepted: NAME"),
    ]
    for text, shape, message in refused:
        with pytest.raises(ModelError, match=message):
            task_of(seen_of(graph, shape), text)


def test_a_sources_own_task_is_taken_as_it_is_and_the_user_changes_it() -> None:
    given = picture()
    graph = model(given, residual(given), residual(given))
    outputs = seen_of(graph, (40, 4), (40, 3))
    own = TaskSpec("detect", "none", (("background", 0), ("form", "scores"), ("overlap", 0.55)))
    assert task_of(outputs, None, own) == (own, ()), "whatever the values look like"
    changed, _ = task_of(outputs, "detect:threshold=0.2,overlap=0.6,activation=softmax", own)
    assert changed.activation == "softmax"
    assert dict(changed.options) == {**dict(own.options), "overlap": 0.6, "threshold": 0.2}
    assert task_of(outputs, "raw", own)[0] == RAW
    assert "background" not in dict(task_of(outputs, "detect:form=scores", own)[0].options)
    for text, message in (
        ("detect:overlap=2", "overlap=2; accepted: 0 to 1"),
        ("detect:activation=tanh", "activation=tanh"),
        ("detect:colour=red", "no option colour"),
    ):
        with pytest.raises(ModelError, match=message):
            task_of(outputs, text, own)
    with pytest.raises(ModelError, match="two outputs"):
        task_of(seen_of(graph, (40, 4), (30, 3)), None, own)


def test_a_task_is_described_as_a_setting_names_it() -> None:
    spec = TaskSpec("detect", "sigmoid", (("decoded", True), ("form", "yolov8")))
    assert describe_task(spec) == "detect:decoded=true,form=yolov8,activation=sigmoid"
    assert describe_task(RAW) == "raw"


def test_every_class_has_a_name() -> None:
    spec = TaskSpec("classify")
    given = picture()
    graph = model(given, residual(given))

    def names(
        labels: tuple[str, ...], task: TaskSpec, shape: tuple[int, ...], given: str | None = None
    ) -> Any:
        return labels_for(_source(labels), task, seen_of(graph, shape, labels=labels), given)

    assert names(("a", "b"), spec, (2,)) == (("a", "b"), ())
    labels, notes = names((), spec, (2,))
    assert labels == ("class 0", "class 1")
    assert "--labels" in notes[0]
    assert "3 labels for 2 classes" in names(("a", "b", "c"), spec, (2,))[1][0]
    with pytest.raises(ModelError, match=r"labels l.txt: 3 names; accepted: 2"):
        names(("a", "b", "c"), spec, (2,), "l.txt")
    assert names(("a",), RAW, (2, 3)) == (("a",), ())
    assert names(("a",), TaskSpec("of-another-package", "none"), (2,)) == (("a",), ())
    detect = TaskSpec("detect", "none", (("form", "yolov8"),))
    assert names((), detect, (6, 99))[0] == ("class 0", "class 1")
    for background, expected in ((0, ("cat", "dog")), (-1, ("nothing", "cat"))):
        task = replace(detect, options=(("background", background), ("form", "yolov8")))
        assert names(("nothing", "cat", "dog"), task, (7, 99))[0] == expected, background
