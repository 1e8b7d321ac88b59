"""From outputs and options to the task of a bundle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kits.detecting import random, seen

from shared.tasks.detection.forms.registry import FORMS
from shared.tasks.detection.recognition import classes_of, describe_outputs, detector, recognise_detectors
from shared.tasks.spec import TaskSpec


def head(columns: int = 7, places: int = 252) -> np.ndarray:
    """(2, columns, places): nothing that is recognised by itself."""
    return random(2, columns, places)


def test_a_form_that_is_named_reads_what_is_not_recognised() -> None:
    outputs = seen(head())
    assert recognise_detectors(outputs) == []
    assert detector(outputs, {"form": "yolov8"}) == TaskSpec("detect", "none", (("form", "yolov8"),))
    logits = seen(9 * head() - 4)
    assert detector(logits, {"form": "yolov8"}).activation == "sigmoid", "the values are no probabilities"
    given: dict[str, Any] = {"form": "yolov8", "activation": "none", "threshold": 0.3, "overlap": 0.6}
    spec = detector(logits, given)
    assert spec.activation == "none"
    assert spec.options == (("form", "yolov8"), ("overlap", 0.6), ("threshold", 0.3))


def test_options_are_added_to_those_that_are_recognised() -> None:
    boxes = np.sort(90 * random(2, 40, 4), axis=2)
    outputs = seen(random(2, 40, 3), boxes)
    (recognised,) = recognise_detectors(outputs)
    spec = detector(outputs, {"threshold": 0.7, "units": "normalised"})
    assert dict(spec.options) == {**dict(recognised.options), "threshold": 0.7, "units": "normalised"}


def test_thresholds_of_the_files_own_metadata_are_taken() -> None:
    boxes = np.sort(90 * random(2, 40, 4), axis=2)
    said = {"confidence_threshold": "0.25", "iou_threshold": "0.7", "model_type": "ssd"}
    (spec,) = recognise_detectors(seen(random(2, 40, 3), boxes, said=said))
    assert {"threshold": 0.25, "overlap": 0.7}.items() <= dict(spec.options).items()
    given = detector(seen(random(2, 40, 3), boxes, said=said), {"threshold": 0.9})
    assert dict(given.options)["threshold"] == 0.9
    for wrong in ("high", "7", "nan"):
        (spec,) = recognise_detectors(seen(random(2, 40, 3), boxes, said={"confidence_threshold": wrong}))
        assert "threshold" not in dict(spec.options), wrong


def test_what_does_not_fit_is_said_with_the_outputs_and_the_forms() -> None:
    cases: list[tuple[tuple[np.ndarray, ...], dict[str, Any], str]] = [
        ((random(2, 5),), {}, r"the output out 0 \(5\): none fits by itself; say which form it has: "),
        ((random(2, 5),), {"form": "yolov8"}, r"the output out 0 \(5\) do not fit the form yolov8"),
        (
            (random(2, 5), random(2, 4, 4)),
            {"form": "rows"},
            r"the outputs out 0 \(5\), out 1 \(4, 4\) do not fit",
        ),
        ((head(),), {"form": "yolov8", "layout": "round"}, "form yolov8: layout=round; accepted: auto"),
        ((head(),), {"form": "yolov8", "size": 3}, "form yolov8: there is no option size"),
        ((head(),), {"form": "yolo"}, "form=yolo; accepted: "),
        ((head(),), {"form": "yolov8", "activation": "tanh"}, "activation=tanh; accepted: softmax"),
    ]
    for samples, options, message in cases:
        with pytest.raises(ValueError, match=message) as found:
            detector(seen(*samples), options)
        assert len(str(found.value).splitlines()) == 1, message
        if "fit" in message:
            assert all(f"{name}: {form.shapes}" in str(found.value) for name, form in FORMS.items()), message


def test_every_form_has_a_name_of_its_own_and_says_its_shapes() -> None:
    assert len({form.shapes for form in FORMS.values()}) >= len(FORMS) - 1
    for name, form in FORMS.items():
        assert form.name == name
        assert "(" in form.shapes, name


def test_how_many_classes_outputs_have() -> None:
    assert classes_of(TaskSpec("detect", "none", (("form", "yolov8"),)), seen(head())) == 3
    rows = TaskSpec("detect", "none", (("form", "rows"),))
    assert classes_of(rows, seen(random(2, 9, 6))) is None
    assert describe_outputs(seen(random(2, 9, 6), names=["dets"])) == "the output dets (9, 6)"
