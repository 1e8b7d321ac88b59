"""YOLO heads in one output: which they are is told by their values, and their boxes are those of the formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from kits.detecting import ANIMALS, SIZE, detector, form, random, seen, table

from shared.tasks.detection.reading.pyramids import Pyramid, centres, count_places, places
from shared.tasks.detection.recognition import form_note, recognise_detectors

CLASSES = len(ANIMALS)
STRIDES = (8, 16, 32)
PLACES = count_places(SIZE, STRIDES)


def decoded(anchors: int, *, objectness: bool, seed: int = 0) -> np.ndarray:
    """(A, 4 or 5 + K): cx, cy, w, h in pixels near each place's centre, and probabilities."""
    middle = centres(SIZE, Pyramid(STRIDES, anchors), innermost=False)
    noise = random(len(middle), 4, seed=seed)
    values = 0.6 * random(len(middle), CLASSES + objectness, seed=seed + 1)
    boxes = np.concatenate([middle + 8 * noise[:, :2], 5 + 40 * noise[:, 2:]], axis=1)
    return np.concatenate([boxes, values], axis=1).astype(np.float32)


def undecoded(seed: int = 0) -> np.ndarray:
    """(A, 5 + K): offsets and logarithms, and probabilities."""
    values = random(PLACES, 5 + CLASSES, seed=seed)
    values[:, :4] = 2 * values[:, :4] - 1
    return values


def pair(make: Any, **given: Any) -> np.ndarray:
    return np.stack([make(**given, seed=0), make(**given, seed=5)])


def options_of(*samples: np.ndarray, **given: Any) -> dict[str, Any]:
    specs = recognise_detectors(seen(*samples, **given))
    assert len(specs) < 2, specs
    return {**dict(specs[0].options), "activation": specs[0].activation} if specs else {}


def test_heads_are_told_by_their_values() -> None:
    v8 = pair(decoded, anchors=1, objectness=False)
    v5 = pair(decoded, anchors=3, objectness=True)
    cases: list[tuple[str, np.ndarray, str, dict[str, Any]]] = [
        ("columns", v8.transpose(0, 2, 1), "yolov8", {"layout": "columns"}),
        ("rows", v5, "yolov5", {"layout": "rows", "units": "pixels"}),
        ("one box a place", pair(decoded, anchors=1, objectness=True), "yolov5", {"layout": "rows"}),
        ("undecoded", pair(undecoded), "yolox", {"strides": "8:16:32"}),
    ]
    for what, samples, name, expected in cases:
        for classes in (0, CLASSES):
            found = options_of(samples, classes=classes)
            assert found.get("form") == name, (what, classes)
            assert expected.items() <= found.items(), what
            assert found["activation"] == "none", what
    assert options_of(v8, classes=CLASSES)["layout"] == "rows", "the names tell that there is no objectness"
    unit = v8.copy()
    unit[:, :, :4] /= np.array([SIZE[1], SIZE[0]] * 2)
    assert options_of(unit, classes=CLASSES)["units"] == "normalised"
    logits = v8.copy()
    logits[:, :, 4:] = 9 * logits[:, :, 4:] - 5
    assert options_of(logits, classes=CLASSES)["activation"] == "sigmoid"


def test_an_objectness_that_nothing_tells_is_said_to_be_assumed() -> None:
    rows = pair(decoded, anchors=1, objectness=False)
    (spec,) = recognise_detectors(unnamed := seen(rows))
    assert dict(spec.options)["form"] == "yolov5", "so are they written, mostly"
    assert "the fifth column is taken for an objectness" in (form_note(spec, unnamed) or "")
    (spec,) = recognise_detectors(named := seen(rows, classes=CLASSES))
    assert form_note(spec, named) is None


def test_what_comes_with_the_names_of_an_exporter() -> None:
    v8 = pair(decoded, anchors=1, objectness=False)
    masks = np.concatenate([v8, 2 * random(2, PLACES, 32) - 1], axis=2).transpose(0, 2, 1)
    prototypes = random(2, 32, 24, 32)
    said = {"task": "segment", "names": "{0: 'cat'}"}
    found = options_of(masks, prototypes, classes=CLASSES, said=said)
    assert (found["form"], found["classes"]) == ("yolov8", CLASSES)
    assert options_of(masks, prototypes, classes=CLASSES) == {}, "two outputs may be anything"
    assert options_of(masks, classes=CLASSES, said={**said, "task": "obb"}) == {}, "those boxes are turned"


def test_the_raw_levels_may_come_beside_the_decoded_boxes() -> None:
    v5 = pair(decoded, anchors=3, objectness=True)
    split = [random(2, 3, SIZE[0] // stride, SIZE[1] // stride, 5 + CLASSES) for stride in STRIDES]
    assert options_of(v5, *split)["form"] == "yolov5"
    together = [each.transpose(0, 1, 4, 2, 3).reshape(2, -1, *each.shape[2:4]) for each in split]
    assert options_of(v5, *together)["form"] == "yolov5"
    assert options_of(v5, *together, random(2, 5, 7, 7)) == {}


def test_features_and_tokens_are_no_boxes() -> None:
    for what, samples in (
        ("tokens", random(2, 12, 64) - 0.5),
        ("noise", 4 * random(2, PLACES, 9) - 2),
        ("probabilities", random(2, 100, 80)),
        ("few", random(2, 5, 9)),
    ):
        assert options_of(samples) == {}, what


def test_boxes_of_decoded_heads() -> None:
    v8 = decoded(1, objectness=False)
    wanted = [
        (int(row[4:].argmax()), row[4:].max(), *(row[:2] - row[2:4] / 2), *(row[:2] + row[2:4] / 2))
        for row in v8.astype(np.float64)
        if row[4:].max() > 0.4
    ]
    assert len(wanted) > 20
    for layout, output in (
        ("rows", v8),
        ("columns", v8.T),
        ("auto", v8),
        ("auto", np.ascontiguousarray(v8.T)),
    ):
        found = table(form("yolov8", layout=layout).candidates((output,), 0.4))
        np.testing.assert_allclose(found, sorted(wanted), atol=2e-3, err_msg=layout)


def test_boxes_of_undecoded_heads() -> None:
    values = undecoded()
    grid, strides = places(SIZE, STRIDES)
    wanted = []
    for row, place, stride in zip(values.astype(float), grid, strides, strict=True):
        score = row[4] * max(row[5:])
        if score > 0.6:
            half = [math.exp(row[2]) * stride / 2, math.exp(row[3]) * stride / 2]
            cx, cy = (row[0] + place[0]) * stride, (row[1] + place[1]) * stride
            box = (cx - half[0], cy - half[1], cx + half[0], cy + half[1])
            wanted.append((int(row[5:].argmax()), score, *box))
    assert len(wanted) > 5
    np.testing.assert_allclose(table(form("yolox").candidates((values,), 0.6)), sorted(wanted), atol=2e-3)


def test_an_exponential_that_overflows_is_a_box_as_large_as_the_picture() -> None:
    values = undecoded()
    values[:, 4:] = 0
    values[7, 2:] = 1000, 1000, 1, 1, 0, 0
    (box,) = detector("yolox").answer((values,)).fields()["boxes"]
    assert box["box"] == [0, 0, SIZE[1], SIZE[0]]


def test_columns_that_follow_the_classes_are_not_read() -> None:
    v8 = decoded(1, objectness=False)
    more = np.concatenate([v8, 9 * random(PLACES, 5)], axis=1)
    found = table(form("yolov8", classes=CLASSES).candidates((more,), 0.4))
    np.testing.assert_array_equal(found, table(form("yolov8").candidates((v8,), 0.4)))


def test_outputs_that_do_not_fit_are_refused() -> None:
    cases: list[tuple[str, dict[str, Any], list[tuple[int, ...]], str]] = [
        ("yolov8", {}, [(3, 4, 5)], "no two dimensions"),
        ("yolov8", {"output": 1}, [(PLACES, 7)], "output 1"),
        ("yolov5", {"layout": "rows"}, [(PLACES, 5)], "5 columns; at least 6"),
        ("yolox", {"layout": "rows"}, [(PLACES + 1, 8)], f"{PLACES} places"),
    ]
    for name, options, shapes, message in cases:
        with pytest.raises(ValueError, match=message):
            form(name, **options).check(shapes)
    assert form("yolov5", layout="rows").check([(PLACES, 8)]) == CLASSES
