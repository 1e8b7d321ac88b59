"""The task segment: which outputs are maps, and what they say."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from kits.detecting import ANIMALS, random, seen, task

from shared.errors import ContentError, ModelError
from shared.tasks.registry import KINDS, read_answer
from shared.tasks.segmentation.class_map import ClassMap
from shared.tasks.spec import Activation, TaskSpec

SEGMENT = KINDS["segment"]
BOTH = ("other", "road")


def segmenter(activation: Activation = "softmax", labels: tuple[str, ...] = ANIMALS, **options: Any) -> Any:
    return task(TaskSpec("segment", activation, tuple(sorted(options.items()))), labels=labels)


def test_the_class_of_each_pixel() -> None:
    values = 9 * random(3, 12, 16) - 4
    numbers = values.argmax(0)
    one = random(1, 12, 16)
    logits = np.log(one / (1 - one))
    cases: list[tuple[str, Any, tuple[np.ndarray, ...], np.ndarray]] = [
        ("values", segmenter(), (values,), numbers),
        ("probabilities", segmenter("none"), (values,), numbers),
        ("numbers", segmenter("none", numbers=True), (numbers.astype(np.float32),), numbers),
        ("numbers and a 1", segmenter("none", numbers=True), (numbers[None].astype(np.float32),), numbers),
        ("one class", segmenter("none", BOTH), (one,), one[0] > 0.5),
        ("one class of logits", segmenter("sigmoid", BOTH), (logits,), one[0] > 0.5),
        ("a threshold", segmenter("sigmoid", BOTH, threshold=0.8), (logits,), one[0] > 0.8),
        ("the second output", segmenter(output=1), (one, values), numbers),
    ]
    for what, one_task, outputs, expected in cases:
        answer = one_task.answer(outputs)
        np.testing.assert_array_equal(answer.array(), expected, err_msg=what)
        travelled = json.loads(json.dumps(answer.fields()))
        assert one_task.parse(travelled) == answer == read_answer(travelled), what
    assert segmenter().nothing() == ClassMap()


def test_what_is_no_map_is_an_error_of_the_frame() -> None:
    values = random(3, 12, 16)
    cases: list[tuple[Any, tuple[np.ndarray, ...], str]] = [
        (segmenter(), (np.where(values > 0.9, np.nan, values),), "not finite"),
        (segmenter(), (values[0, 0],), r"no map: output 0 has the shape \(16,\)"),
        (segmenter(output=1), (values,), "no map"),
        (
            segmenter("none", numbers=True),
            (np.full((4, 4), 3, np.float32),),
            "classes of 3 to 3; accepted: 0 to 2",
        ),
        (segmenter("none", numbers=True), (np.full((4, 4), -1, np.float32),), "classes of -1"),
        (segmenter("none", numbers=True), (np.full((4, 4), 1e30, np.float32),), "accepted: 0 to 2"),
    ]
    for one_task, outputs, message in cases:
        with pytest.raises(ContentError, match=message):
            one_task.answer(outputs)


def test_agreement_is_the_share_of_pixels_and_divergence_is_by_pixel() -> None:
    values = 9 * random(2, 3, 12, 16) - 4
    other = values.copy()
    other[1] = other[1][[1, 0, 2]]
    changed = (values.argmax(1) != other.argmax(1)).reshape(2, -1).mean(1)
    assert 0.3 < changed[1] < 1
    one_task = segmenter()
    assert one_task.agreement((values,), (other,)).matched.tolist() == pytest.approx(1 - changed)
    assert one_task.divergence((values,), (values,)).tolist() == [0, 0]
    noise = random(2, 3, 12, 16, seed=8) - 0.5
    small, larger = (one_task.divergence((values,), (values + size * noise,)) for size in (0.05, 0.1))
    np.testing.assert_allclose(larger / small, 4, rtol=0.1)
    p = np.exp(values.astype(np.float64))
    p /= p.sum(1, keepdims=True)
    q = p[:, [1, 0, 2]]
    np.testing.assert_allclose(
        one_task.divergence((values,), (values[:, [1, 0, 2]],)),
        (p * np.log(p / q)).sum(1).mean((1, 2)),
        rtol=1e-5,
    )
    one, numbers = random(2, 1, 12, 16), values.argmax(1).astype(np.float32)
    assert (segmenter("none", BOTH).divergence((one,), (1 - one,)) > 0.1).all()
    by_number = segmenter("none", numbers=True)
    assert by_number.divergence((numbers,), (numbers,)).tolist() == [0, 0]
    assert (by_number.divergence((numbers,), (2 - numbers,)) > 1).all()


def test_maps_are_recognised() -> None:
    values = 9 * random(2, 5, 96, 128) - 4
    soft = np.exp(values) / np.exp(values).sum(1, keepdims=True)
    one = random(2, 1, 96, 128)
    numbers = values.argmax(1).astype(np.float32)
    cases: list[tuple[str, Any, TaskSpec | None]] = [
        ("values", seen(values), TaskSpec("segment", "softmax", (("output", 0),))),
        ("a quarter", seen(values[:, :, ::4, ::4]), TaskSpec("segment", "softmax", (("output", 0),))),
        ("probabilities", seen(soft), TaskSpec("segment", "none", (("output", 0),))),
        ("two classes", seen(soft[:, :2] / soft[:, :2].sum(1, keepdims=True)), TaskSpec("segment", "none", (("output", 0),))),
        ("two names", seen(values[:, :2], classes=2), TaskSpec("segment", "softmax", (("output", 0),))),
        ("one class", seen(one, activations=["sigmoid"]), TaskSpec("segment", "none", (("output", 0),))),
        ("numbers", seen(numbers, whole=[True]), TaskSpec("segment", "none", (("numbers", True), ("output", 0)))),
        (
            "an auxiliary output",
            seen(values, values, names=["out", "aux"]),
            TaskSpec("segment", "softmax", (("output", 0),)),
        ),
        ("a picture", seen(values[:, :3]), None),
        ("a depth", seen(one), None),
        ("another number of names", seen(values, classes=4), None),
        ("features", seen(random(2, 2048, 3, 4)), None),
        ("coarse features", seen(random(2, 64, 6, 8)), None),
        ("another aspect", seen(random(2, 5, 96, 64)), None),
        ("larger than the picture", seen(random(2, 5, 192, 256)), None),
        ("floats without channels", seen(numbers + 0.5), None),
        ("two maps", seen(values, values), None),
    ]  # fmt: skip
    for what, outputs, expected in cases:
        found = SEGMENT.recognise(outputs)
        assert found == ([expected] if expected else []), what
    assert "5 classes" in str(SEGMENT.assumed(SEGMENT.recognise(seen(values))[0], seen(values)))
    assert SEGMENT.assumed(SEGMENT.recognise(seen(soft))[0], seen(soft)) is None


def test_a_task_that_a_user_names() -> None:
    values = random(2, 2, 12, 16)
    assert SEGMENT.told(seen(values), {}) == TaskSpec("segment", "softmax")
    assert SEGMENT.told(seen(values), {"activation": "sigmoid"}).activation == "sigmoid"
    assert SEGMENT.told(seen(values[:, 0]), {}) == TaskSpec("segment", "none", (("numbers", True),))
    for options, message in (
        ({"output": 1}, "output=1"),
        ({"colour": 1}, "no option colour"),
        ({"numbers": 1}, "numbers=1"),
        ({"activation": "tanh"}, "activation=tanh"),
    ):
        with pytest.raises(ValueError, match=message):
            SEGMENT.told(seen(values), options)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="tiny: its task segment: threshold=2"):
        segmenter(threshold=2)


def test_how_many_classes_need_a_name() -> None:
    for outputs, options, expected in (
        (seen(random(2, 7, 12, 16)), {}, 7),
        (seen(random(2, 1, 12, 16)), {}, 2),
        (seen(random(2, 12, 16)), {}, 256),
        (seen(random(2, 12, 16), classes=19), {}, 19),
    ):
        assert SEGMENT.classes(SEGMENT.told(outputs, options), outputs) == expected
