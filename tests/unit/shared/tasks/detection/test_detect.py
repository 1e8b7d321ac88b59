"""The task detect: from options and outputs to answers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from kits.detecting import ANIMALS, detector, model, random, task

from shared.errors import ContentError, ModelError
from shared.limits import MAX_REPLY_BYTES
from shared.tasks.detection.boxes import MAX_BOXES, Boxes
from shared.tasks.registry import make_task, read_answer
from shared.tasks.spec import TaskSpec, Wanted

BOXES = np.array([[10, 20, 40, 60], [12, 21, 42, 61], [50, 10, 200, 30], [0, 0, 5, 5]], np.float32)
SCORES = np.array([[0.5, 0.1, 0.1], [0.9, 0.1, 0.2], [0.1, 0.1, 0.45], [0.1, 0.35, 0.1]], np.float32)


def test_an_answer_holds_the_best_box_of_each_thing() -> None:
    answer = detector("scores").answer((BOXES, SCORES))
    assert answer.headline() == "1 cat, 1 hen"
    assert answer.findings() == [("cat", 0.9), ("hen", 0.45)]
    boxes = answer.fields()["boxes"]
    assert [each["box"] for each in boxes] == [[12, 21, 42, 61], [50, 10, 128, 30]], "clipped to the picture"
    assert answer.fields()["size"] == [128, 96]


def test_the_users_threshold_comes_before_the_bundles_and_that_before_the_default() -> None:
    cases: list[tuple[dict[str, Any], float | None, int]] = [
        ({}, None, 2),
        ({"threshold": 0.3}, None, 3),
        ({"threshold": 0.3}, 0.6, 1),
        ({}, 0.0, 9),
        ({}, 1.0, 0),
    ]
    for options, threshold, count in cases:
        spec = TaskSpec("detect", "none", (("form", "scores"), *options.items()))
        answer = task(spec, threshold).answer((BOXES, SCORES))
        assert len(answer.fields()["boxes"]) == count, (options, threshold)


def test_overlap_is_an_option() -> None:
    for overlap, count in ((0.45, 1), (0.95, 2), (1, 2)):
        answer = detector("scores", overlap=overlap).answer((BOXES[:2], SCORES[:2]))
        assert len(answer.fields()["boxes"]) == count, overlap


def test_thousands_of_boxes_are_bounded_and_the_rest_is_counted() -> None:
    places = 8 * random(5000, 4) + np.repeat(np.arange(5000) % 100, 4).reshape(-1, 4)
    places[:, 2:] += 1
    labels = tuple(f"a class with a long name {number:100d}" for number in range(80))
    many = task(TaskSpec("detect", "none", (("form", "scores"), ("overlap", 1))), 0.0, labels=labels)
    answer = many.answer((places.astype(np.float32), random(5000, 80)))
    assert len(answer.fields()["boxes"]) == MAX_BOXES
    assert answer.fields()["more"] > 0
    assert len(json.dumps(answer.fields())) < MAX_REPLY_BYTES
    assert many.parse(json.loads(json.dumps(answer.fields()))) == answer


def test_answers_travel_and_compare_by_value() -> None:
    one = detector("scores")
    answer = one.answer((BOXES, SCORES))
    travelled = json.loads(json.dumps(answer.fields()))
    assert one.parse(travelled) == answer == read_answer(travelled)
    assert one.answer((BOXES, SCORES)) == answer
    assert one.answer((BOXES + 1, SCORES)) != answer
    assert hash(answer) == hash(one.parse(travelled))
    assert one.nothing() == Boxes()


def test_a_reply_about_classes_that_there_are_not_is_refused() -> None:
    answer = detector("scores").answer((BOXES, SCORES)).fields()
    answer["boxes"][0]["class_id"] = len(ANIMALS)
    with pytest.raises(ValueError, match="class 3 of 3"):
        detector("scores").parse(answer)
    assert detector("boxes").parse(answer).headline() == "1 class 3, 1 hen", "this form may have more"


def test_values_that_are_no_numbers_are_an_error_of_the_frame() -> None:
    for output in (0, 1):
        for value in (np.nan, np.inf, -np.inf):
            outputs = [BOXES.copy(), SCORES.copy()]
            outputs[output][3, 2] = value
            with pytest.raises(ContentError, match="not finite"):
                detector("scores").answer(tuple(outputs))
    with pytest.raises(ContentError, match="not of the form scores"):
        detector("scores").answer((BOXES,))


def test_a_bundle_whose_options_make_no_sense_is_refused() -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "form=; accepted: boxes, rows"),
        ({"form": "yolov99"}, "form=yolov99"),
        ({"form": "scores", "threshold": 2}, "threshold=2"),
        ({"form": "scores", "colour": "red"}, "no option colour"),
        ({"form": "scores", "overlap": True}, "overlap=True"),
        ({"form": "scores", "background": 3}, "background=3"),
        ({"form": "scores", "box": "round"}, "box=round"),
    ]
    for options, message in cases:
        spec = TaskSpec("detect", "none", tuple(sorted(options.items())))
        with pytest.raises(ModelError, match=f"tiny: its task detect: .*{message}") as found:
            make_task(model(spec), Wanted())
        assert len(str(found.value).splitlines()) == 1, message
