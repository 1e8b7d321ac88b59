"""The task `raw`: outputs whose meaning is the user's."""

from __future__ import annotations

import base64
import dataclasses
import json
import math

import numpy as np
import pytest
from kits.naming import naming

from shared.errors import ContentError
from shared.network.model import Model
from shared.network.recipe import Recipe
from shared.tasks.classify import Classify
from shared.tasks.raw import MAX_RAW_BYTES, Outputs, Raw
from shared.tasks.registry import make_task, read_answer
from shared.tasks.spec import TaskSpec, Wanted

TASK = Raw(["boxes", "scores"])
BOXES = np.arange(8, dtype=np.float32).reshape(2, 4) - 3
SCORES = np.array([0.5, 0.25], np.float32)
ANSWER = TASK.answer((BOXES, SCORES))


def travelled(answer: Outputs) -> dict[str, object]:
    fields: dict[str, object] = json.loads(json.dumps(answer.fields(), allow_nan=False))
    return fields


def test_outputs_are_summed_up_and_small_ones_are_whole() -> None:
    boxes, scores = travelled(ANSWER)["outputs"]
    assert {key: boxes[key] for key in ("name", "shape", "min", "max", "mean")} == {
        "name": "boxes",
        "shape": [2, 4],
        "min": -3.0,
        "max": 4.0,
        "mean": 0.5,
    }
    assert base64.b64decode(boxes["float32"]) == BOXES.astype("<f4").tobytes()
    assert (scores["min"], scores["max"], scores["mean"]) == (0.25, 0.5, 0.375)
    assert ANSWER.headline() == "boxes 2x4 (-3 … 4), scores 2 (0.25 … 0.5)"
    assert ANSWER.findings() == ()


def test_an_answer_that_travelled_is_the_same() -> None:
    found = TASK.parse(travelled(ANSWER))
    assert found == ANSWER
    np.testing.assert_array_equal(found.outputs[0].array(), BOXES)
    assert found != TASK.answer((BOXES, -SCORES))
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.outputs = ()  # type: ignore[misc]


def test_values_are_handed_on_up_to_the_limit_of_all_outputs_together() -> None:
    for elements, whole in ((MAX_RAW_BYTES // 4 - 1, True), (MAX_RAW_BYTES // 4, False)):
        answer = TASK.answer((np.ones(elements, np.float32), np.ones(1, np.float32)))
        with naming(elements):
            assert [each.data is not None for each in answer.outputs] == [whole] * 2
            assert TASK.parse(travelled(answer)) == answer
    with pytest.raises(ValueError, match="too many to be handed on"):
        answer.outputs[0].array()


def test_an_output_may_be_a_scalar_or_empty_or_not_contiguous() -> None:
    for output in (np.float32(3).reshape(()), np.zeros((0, 4), np.float32), BOXES.T, BOXES[:, ::2]):
        answer = Raw(["one"]).answer((output,))
        with naming(output.shape):
            np.testing.assert_array_equal(answer.outputs[0].array(), output)
            assert Raw(["one"]).parse(travelled(answer)) == answer


def test_a_mean_is_never_outside_of_its_values() -> None:
    values = np.full(3, 0.1, np.float32)
    (found,) = Raw(["one"]).answer((values,)).outputs
    assert found.minimum == found.mean == found.maximum


def test_outputs_that_are_not_finite_are_no_answer() -> None:
    for value in (np.nan, np.inf, -np.inf):
        with naming(value), pytest.raises(ContentError, match="not finite"):
            TASK.answer((BOXES, np.array([0, value], np.float32)))


def test_what_is_no_answer_is_refused() -> None:
    def with_boxes(**changes: object) -> dict[str, object]:
        boxes, scores = travelled(ANSWER)["outputs"]
        return {"outputs": [boxes | changes, scores]}

    too_much = base64.b64encode(bytes(MAX_RAW_BYTES)).decode()
    bad = base64.b64encode(np.full(8, np.nan, "<f4").tobytes()).decode()
    cases = [
        {},
        {"outputs": None},
        {"outputs": []},
        {"outputs": "ab"},
        {"outputs": [None, None]},
        {"outputs": travelled(ANSWER)["outputs"][:1]},
        {"outputs": travelled(ANSWER)["outputs"][::-1]},
        with_boxes(name=3),
        with_boxes(name="\ud800"),
        with_boxes(shape=8),
        with_boxes(shape=[1] * 9),
        with_boxes(shape=[-2, -4]),
        with_boxes(shape=[2.0, 4]),
        with_boxes(shape=[True, 8]),
        with_boxes(shape=[2, 3]),
        with_boxes(min=math.nan),
        with_boxes(max=math.inf),
        with_boxes(mean=5.0),
        with_boxes(mean="0"),
        with_boxes(float32=3),
        with_boxes(float32="!!!!"),
        with_boxes(float32=bad),
        with_boxes(max=5.0),
        with_boxes(min=-4.0),
        with_boxes(mean=0.6),
        with_boxes(float32=too_much, shape=[MAX_RAW_BYTES // 4]),
    ]
    for fields in cases:
        refused = (ValueError, TypeError, KeyError, AttributeError, OverflowError)
        with naming(str(fields)[:200]), pytest.raises(refused):
            TASK.parse(fields)
    assert TASK.parse(with_boxes()) == ANSWER


def test_divergence_is_the_worst_outputs_relative_error_and_agreement_what_is_left() -> None:
    first, second = np.array([[3, 4], [3, 4]], np.float32), np.ones((2, 5), np.float32)
    found = (np.array([[3, 4], [3, 4.5]], np.float32), second * np.float32(1.01))
    assert TASK.divergence((first, second), found) == pytest.approx([0.01, 0.1], rel=1e-4)
    assert TASK.agreement((first, second), found).matched == pytest.approx([0.99, 0.9], rel=1e-4)
    assert TASK.agreement((first, second), (first, second)).matched.tolist() == [1, 1]
    assert TASK.agreement((first, second), (-first, second)).matched.tolist() == [0, 0]
    nothing = np.zeros((1, 3), np.float32)
    assert Raw(["one"]).agreement((nothing,), (nothing,)).matched.tolist() == [1]
    assert Raw(["one"]).agreement((nothing,), (nothing + 1,)).matched.tolist() == [0]


def test_a_network_has_the_task_that_its_bundle_names() -> None:
    recipe = Recipe(8, 8, (0, 0, 0), (1, 1, 1))
    raw = Model("m", "file", recipe, (), bytes(8), TaskSpec("raw"), ("boxes", "scores"))
    assert make_task(raw, Wanted()).parse(travelled(ANSWER)) == ANSWER
    one = Model("m", "file", recipe, ("a", "b"), bytes(8), TaskSpec("classify", "none"), ("out",))
    task = make_task(one, Wanted())
    assert isinstance(task, Classify)
    assert task.answer((np.array([0.25, 0.75], np.float32),)).findings() == [("b", 0.75), ("a", 0.25)]


def test_who_only_reads_takes_the_names_that_come() -> None:
    assert read_answer(travelled(ANSWER)) == ANSWER
    top = {"top": [{"class_id": 70, "label": "hen", "probability": 0.5}]}
    assert read_answer(top).headline() == "hen"
    for fields in ({}, {"top": []}, {"outputs": []}):
        with naming(fields), pytest.raises((KeyError, ValueError, TypeError)):
            read_answer(fields)
