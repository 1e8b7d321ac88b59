"""Boxes that the graph has selected: in outputs of their own and as rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kits.detecting import SIZE, detector, form, rows, seen

from shared.errors import ContentError
from shared.tasks.detection.recognition import form_note, recognise_detectors

BOXES = np.array([[10, 20, 40, 60], [50, 10, 90, 30], [-1, -1, -1, -1]], np.float32)
SCORES = np.array([0.9, 0.5, -1], np.float32)
LABELS = np.array([1, 2, -1], np.float32)
FOUND = [(1.0, 0.9, 10.0, 20.0, 40.0, 60.0), (2.0, 0.5, 50.0, 10.0, 90.0, 30.0)]
SIDES = np.array([SIZE[1], SIZE[0]] * 2, np.float32)


def options_of(*samples: np.ndarray, **given: Any) -> dict[str, Any]:
    """Those of the only form that is recognised; {} if none is."""
    specs = recognise_detectors(seen(*(sample[None] for sample in samples), **given))
    assert len(specs) < 2, specs
    return dict(specs[0].options) if specs else {}


def read(outputs: tuple[np.ndarray, ...], options: dict[str, Any], threshold: float = 0.3) -> Any:
    return rows(form(options.pop("form"), **options).candidates(outputs, threshold))


def test_outputs_are_known_by_shape_name_and_kind_of_number() -> None:
    scored = np.column_stack([BOXES, SCORES])
    unit = BOXES / SIDES
    unit[2] = -1
    swapped = unit[:, [1, 0, 3, 2]]
    cases: list[tuple[str, tuple[np.ndarray, ...], dict[str, Any]]] = [
        ("torchvision", (BOXES, LABELS, SCORES), {"whole": (False, True, False)}),
        ("named", (SCORES, LABELS, BOXES), {"names": ("scores", "labels", "boxes")}),
        ("mmdetection", (scored, LABELS), {"names": ("dets", "labels")}),
        ("normalised", (unit, LABELS, SCORES), {"names": ("b", "cls", "conf")}),
        ("columns of one", (BOXES, SCORES[:, None], LABELS[:, None]), {"names": ("b", "scores", "classes")}),
        (
            "tensorflow",
            (swapped, LABELS + 1, SCORES, np.array([2], np.float32)),
            {"names": ("detection_boxes", "detection_classes", "detection_scores", "num_detections")},
        ),
        (
            "tensorflow with more",
            (np.array([3, 4, 5], np.float32), swapped, LABELS + 1, SCORES, np.zeros((9, 4), np.float32)),
            {
                "names": (
                    "detection_anchor_indices",
                    "detection_boxes",
                    "detection_classes",
                    "detection_scores",
                    "raw_detection_boxes",
                )
            },
        ),
    ]
    for what, outputs, given in cases:
        options = options_of(*outputs, **given)
        assert options.get("form") == "boxes", what
        assert read(outputs, options) == FOUND, what


def test_a_count_says_how_many_rows_are_boxes() -> None:
    outputs = (BOXES, SCORES, LABELS, np.array([1], np.float32))
    assert read(outputs, {"form": "boxes", "outputs": "boxes:scores:labels:count"}) == FOUND[:1]


def test_one_class_needs_no_labels() -> None:
    outputs = (np.column_stack([BOXES, SCORES]),)
    found = read(outputs, {"form": "boxes", "outputs": "boxes"})
    assert found == sorted((0.0, *each[1:]) for each in FOUND)


def test_rows_are_known_by_what_their_columns_hold() -> None:
    x0, y0, x1, y1 = BOXES.T
    image = np.array([0, 0, -1], np.float32)
    filling = np.array([False, False, True])
    layouts: list[tuple[str, list[np.ndarray], bool]] = [
        ("YOLOv10", [x0, y0, x1, y1, SCORES, LABELS], False),
        ("Paddle", [LABELS, SCORES, x0, y0, x1, y1], False),
        ("YOLOv7 end to end", [image, x0, y0, x1, y1, LABELS, SCORES], False),
        ("DetectionOutput", [image, LABELS, SCORES, *np.where(filling, 0, BOXES.T / SIDES[:, None])], True),
    ]
    for what, columns, leading in layouts:
        output = np.column_stack(columns).astype(np.float32)
        output = output[None] if leading else output
        options = options_of(output)
        assert options.get("form") == "rows", what
        assert [each[:2] for each in read((output,), dict(options))] == [each[:2] for each in FOUND], what
        np.testing.assert_allclose(read((output,), options), FOUND, atol=0.01, err_msg=what)


def test_rows_with_centres_in_a_unit_square() -> None:
    centre = np.column_stack([(BOXES[:2, :2] + BOXES[:2, 2:]) / 2, BOXES[:2, 2:] - BOXES[:2, :2]]) / SIDES
    output = np.column_stack([centre, SCORES[:2], LABELS[:2]]).astype(np.float32)
    options = options_of(output)
    assert (options["box"], options["units"]) == ("cxcywh", "normalised")
    np.testing.assert_allclose(read((output,), options), FOUND, atol=0.01)


def test_rows_of_anything_else_are_not_boxes() -> None:
    noise = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    assert options_of(noise) == {}
    assert options_of(np.abs(noise)) == {}


def test_rotated_boxes_are_no_rows_of_pictures_and_scores() -> None:
    random = np.random.default_rng(0).random((50, 7)).astype(np.float32)
    x, y, width, height, score, _, angle = (random * [99, 99, 20, 20, 1, 1, 0.9]).T.astype(np.float32)
    output = np.column_stack([x, y, width, height, score, np.arange(50) % 5, angle]).astype(np.float32)
    assert options_of(output) == {}
    (empty,) = (np.zeros_like(output),)
    assert recognise_detectors(seen(empty[None], said={"task": "obb"})) == []


def test_what_no_picture_shows_is_said_to_be_assumed() -> None:
    (spec,) = recognise_detectors(nothing := seen(np.zeros((2, 50, 6), np.float32)))
    note = form_note(spec, nothing) or ""
    assert "no box was found" in note
    assert "box=xyxy and units=pixels" in note
    found = np.column_stack([BOXES, SCORES, LABELS]).astype(np.float32)
    (spec,) = recognise_detectors(some := seen(found[None]))
    assert form_note(spec, some) is None
    outputs = (np.full((1, 9, 4), -1, np.float32), *(np.full((1, 9), -1, np.float32) for _ in range(2)))
    (spec,) = recognise_detectors(nothing := seen(*outputs, names=("boxes", "scores", "labels")))
    assert "no box was found" in (form_note(spec, nothing) or "")


def test_filling_is_never_a_box() -> None:
    task = detector("boxes", threshold=0.0)
    nothing = (np.full((4, 4), -1, np.float32), np.full(4, -1, np.float32), np.full(4, -1, np.float32))
    assert task.answer(nothing).headline() == "nothing"
    zeros = tuple(np.zeros_like(each) for each in nothing)
    assert task.answer(zeros).headline() == "nothing", "a score of 0 is not above 0"


def test_impossible_classes_are_an_error_of_the_frame() -> None:
    task = detector("boxes")
    for label in (-3.0, 1e9):
        labels = np.array([1, label, -1], np.float32)
        with pytest.raises(ContentError, match="classes from"):
            task.answer((BOXES, SCORES, labels))


def test_a_class_without_a_name_has_its_number() -> None:
    labels = np.array([1, 7, -1], np.float32)
    answer = detector("boxes").answer((BOXES, SCORES, labels))
    assert answer.headline() == "1 class 7, 1 dog"
    assert detector("boxes", first=1).answer((BOXES, SCORES, labels)).headline() == "1 cat, 1 class 6"


def test_outputs_that_do_not_fit_are_refused() -> None:
    cases: list[tuple[str, dict[str, Any], list[tuple[int, ...]], str]] = [
        ("boxes", {}, [(3, 4), (3,)], "2 outputs"),
        ("boxes", {}, [(3, 6), (3,), (3,)], "boxes of shape"),
        ("boxes", {}, [(3, 4), (4,), (3,)], "scores of shape"),
        ("boxes", {"outputs": "boxes:labels"}, [(3, 4), (3,)], "boxes of shape"),
        ("rows", {}, [(3, 7)], "6 columns"),
        ("rows", {}, [(3, 6), (3, 6)], "6 columns"),
    ]
    for name, options, shapes, message in cases:
        with pytest.raises(ValueError, match=message):
            form(name, **options).check(shapes)
    for wrong in ({"outputs": "boxes:boxes"}, {"outputs": "scores"}, {"outputs": "boxes:colours"}):
        with pytest.raises(ValueError, match="outputs="):
            form("boxes", **wrong)
