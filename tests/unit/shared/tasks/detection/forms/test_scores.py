"""Boxes and scores in two outputs, and differences from anchors."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
import pytest
from kits.detecting import ANIMALS, SIZE, detector, form, random, seen, table

from shared.errors import ModelError
from shared.tasks.detection.reading.pyramids import places
from shared.tasks.detection.recognition import detector as recognised
from shared.tasks.detection.recognition import form_note, recognise_detectors

CLASSES = len(ANIMALS)
COUNT = 40
SIDES = np.array([SIZE[1], SIZE[0]] * 2, np.float32)


def centred(count: int = COUNT, seed: int = 0) -> np.ndarray:
    """cx, cy, w, h in a unit square."""
    values = random(count, 4, seed=seed)
    values[:, 2:] = 0.05 + 0.2 * values[:, 2:]
    return values


def corners(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)


def distributions(count: int, columns: int, background: int) -> np.ndarray:
    values = random(count, columns, seed=3)
    values[:, background] += 60 * (np.arange(count) % 8 > 0)
    return values / values.sum(1, keepdims=True)


def options_of(*samples: np.ndarray, same: int = -1, **given: Any) -> dict[str, Any]:
    """Those that are recognised for two pictures: the second has its rows in another order, but for the output `same`."""
    pairs = [
        np.stack([each, each if index == same else np.roll(each, 1, 0)]) for index, each in enumerate(samples)
    ]
    specs = recognise_detectors(seen(*pairs, **given))
    assert len(specs) < 2, specs
    return {**dict(specs[0].options), "activation": specs[0].activation} if specs else {}


def test_what_boxes_and_scores_are_is_told_by_their_values() -> None:
    pixels = corners(centred()) * SIDES
    scores = random(COUNT, CLASSES)
    logits = 9 * random(COUNT, CLASSES) - 7
    first = distributions(COUNT, CLASSES + 1, 0)
    last = np.log(distributions(COUNT, CLASSES + 1, -1))
    query = {"units": "normalised", "box": "cxcywh", "overlap": 1.0}
    cases: list[tuple[str, tuple[np.ndarray, ...], dict[str, Any], dict[str, Any]]] = [
        ("pixels", (pixels, scores), {}, {"box": "xyxy", "units": "pixels", "activation": "none"}),
        ("scores first", (scores, pixels), {}, {"outputs": "scores:boxes"}),
        ("across", (scores.T, pixels), {}, {"outputs": "scores:boxes"}),
        ("background first", (corners(centred()), first), {}, {"background": 0, "units": "normalised"}),
        ("background and names", (pixels, first), {"classes": CLASSES}, {"background": 0}),
        ("background has a name", (pixels, first), {"classes": CLASSES + 1}, {"background": 0}),
        ("RT-DETR", (logits, centred()), {}, {**query, "activation": "sigmoid"}),
        ("DETR", (last, centred()), {}, {**query, "activation": "softmax", "background": -1}),
    ]
    for what, outputs, given, expected in cases:
        found = options_of(*outputs, **given)
        assert found.get("form") == "scores", what
        assert expected.items() <= found.items(), (what, found)
        if "background" not in expected:
            assert "background" not in found, what
    four = random(COUNT, 4)
    assert options_of(four, pixels, names=("scores", "bboxes"))["outputs"] == "scores:boxes"
    assert options_of(pixels, scores, classes=7) == {}, "other names"
    assert options_of(random(COUNT, 4) - 0.5, scores) == {}, "differences without anchors"


def test_which_column_stands_for_nothing_is_told_by_its_values_or_in_a_note() -> None:
    boxes, names = centred(), 91
    logits = random(COUNT, names + 1, seed=5) - 2
    for what, column, more, expected, told in (
        ("weak and last", -1, 2.5, -1, True),
        ("weak and first", 0, 2.5, 0, True),
        ("no weight", 0, 0, 0, False),
        ("another is likely", 7, 2.5, 0, False),
    ):
        values = logits.copy()
        values[:, column] += more
        pairs = [np.stack([each, np.roll(each, 1, 0)]) for each in (values, boxes)]
        outputs = seen(*pairs, classes=names)
        (spec,) = recognise_detectors(outputs)
        assert dict(spec.options)["background"] == expected, what
        note = form_note(spec, outputs)
        assert note is None if told else note is not None and "background=-1" in note, (what, note)
    outputs = seen(*pairs, classes=names)
    given = recognised(outputs, {"background": -1})
    assert form_note(given, outputs) is None, "the user says it"


def test_whatever_has_the_shapes_of_boxes_for_each_class_is_no_detector() -> None:
    scores = random(COUNT, CLASSES)
    wide = random(COUNT, 4 * CLASSES, seed=8)
    exponents = np.exp(5 * wide)
    each = np.concatenate([corners(centred(seed=seed)) * SIDES for seed in range(CLASSES)], axis=1)
    for what, other in (
        ("positive", wide),
        ("distributions", exponents / exponents.sum(1, keepdims=True)),
        ("nothing", np.zeros_like(wide)),
        ("ascending", np.sort(1000 * wide, axis=1)),
    ):
        assert options_of(other, scores) == {}, what
    assert options_of(each, scores)["box"] == "xyxy"
    four = random(COUNT, 4, seed=9)
    assert options_of(four / four.sum(1, keepdims=True), random(COUNT, 1)) == {}, "four classes"


def test_boxes_of_every_arrangement() -> None:
    scores, boxes = random(COUNT, CLASSES), centred()
    wanted = [
        (number, score, *(corners(boxes[place : place + 1])[0] * SIDES))
        for place, row in enumerate(scores)
        for number, score in enumerate(row)
        if score > 0.7
    ]
    assert len(wanted) > 20
    each = np.repeat(boxes[:, None], CLASSES, axis=1)
    centres = {"box": "cxcywh", "units": "normalised"}
    cases: list[tuple[str, tuple[np.ndarray, ...], dict[str, Any]]] = [
        ("boxes first", (boxes, scores), centres),
        ("scores first", (scores, boxes), centres),
        ("across", (scores.T.copy(), boxes), centres),
        ("a leading 1", (boxes[:, None], scores), centres),
        ("for each class", (each, scores), centres),
        ("for each class, flat", (each.reshape(COUNT, -1), scores), centres),
        ("corners in pixels", (corners(boxes) * SIDES, scores), {}),
    ]
    for what, outputs, options in cases:
        reader = form("scores", **options)
        assert reader.check([output.shape for output in outputs]) == CLASSES, what
        np.testing.assert_allclose(
            table(reader.candidates(outputs, 0.7)), sorted(wanted), rtol=1e-5, atol=1e-3, err_msg=what
        )


def test_each_class_has_its_own_boxes_behind_the_backgrounds() -> None:
    boxes = np.arange(2 * 4 * 4, dtype=np.float32).reshape(2, 4, 4)
    boxes[..., 2:] += 5
    scores = np.array([[0, 0.9, 0, 0], [0, 0, 0, 0.8]], np.float32)
    found = form("scores", background=0).candidates((boxes, scores), 0.5)
    assert found.classes.tolist() == [0, 2]
    np.testing.assert_array_equal(found.corners, [boxes[0, 1], boxes[1, 3]])


def test_differences_from_anchors_that_the_file_holds() -> None:
    grid, strides = places(SIZE, (16, 32))
    middle = (grid + 0.5) * strides[:, None] / SIDES[:2]
    priors = np.concatenate([middle, np.repeat(strides[:, None] / 64, 2, axis=1)], axis=1).astype(np.float32)
    given = random(len(priors), 4, seed=7) - 0.5
    scores = distributions(len(priors), CLASSES + 1, 0)
    wanted = []
    for row, prior, values in zip(given.astype(float), priors.astype(float), scores, strict=True):
        cx, cy = (prior[k] + 0.1 * row[k] * prior[2 + k] for k in (0, 1))
        w, h = (prior[2 + k] * math.exp(0.2 * row[2 + k]) for k in (0, 1))
        box = np.array([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2]) * SIDES
        wanted += [(number, value, *box) for number, value in enumerate(values[1:]) if value > 0.4]
    assert len(wanted) > 2
    caffe = np.stack([corners(priors), np.tile(np.float32([0.1, 0.1, 0.2, 0.2]), (len(priors), 1))])
    for what, constant in (("centres", priors), ("corners and variances", caffe.reshape(2, -1))):
        options = options_of(given, scores, constants={"priors": constant})
        assert (options.get("form"), options["variances"]) == ("anchored", "0.1:0.1:0.2:0.2"), what
        assert options["background"] == 0, what
        reader = form(str(options.pop("form")), **options_without_activation(options))
        np.testing.assert_allclose(
            table(reader.candidates((given, scores), 0.4)), sorted(wanted), rtol=1e-4, atol=1e-2, err_msg=what
        )
    three = options_of(given, priors, scores, same=1)
    assert three["outputs"] == "boxes:ignored:scores", "one that is the same for every picture"
    reader = form(str(three.pop("form")), **options_without_activation(three))
    np.testing.assert_allclose(
        table(reader.candidates((given, priors, scores), 0.4)), sorted(wanted), rtol=1e-4, atol=1e-2
    )
    plain = options_of(given, random(len(priors), CLASSES), constants={"anchors": priors})
    assert plain["variances"] == "1:1:1:1", "no background, as RetinaNet"
    assert options_of(given, scores, constants={"priors": priors[:-1]}) == {}


def options_without_activation(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "activation"}


def test_y_may_come_first() -> None:
    priors = np.array([[64, 48, 32, 16]], np.float32)
    text = base64.b64encode(priors.astype("<f4").tobytes()).decode()
    options: dict[str, Any] = {"priors": text, "prior_units": "pixels", "variances": "1:1:1:1"}
    values = np.array([[0.5, 0.25, 0, 0]], np.float32)
    scores = np.array([[0.9, 0.1, 0.1]], np.float32)
    for deltas, expected in (("xywh", [64, 44, 96, 60]), ("yxhw", [56, 48, 88, 64])):
        found = form("anchored", deltas=deltas, **options).candidates((values, scores), 0.5)
        assert found.corners.tolist() == [expected], deltas


def test_anchors_that_make_no_sense_are_refused() -> None:
    nan = base64.b64encode(np.full(4, np.nan, "<f4").tobytes()).decode()
    for priors, message in (
        ("", "needs its anchors"),
        ("!", "needs"),
        ("AAAA", "needs"),
        (nan, "not finite"),
    ):
        with pytest.raises(ModelError, match=message):
            detector("anchored", priors=priors)
    one = base64.b64encode(np.ones(4, "<f4").tobytes()).decode()
    with pytest.raises(ValueError, match="1 anchors"):
        form("anchored", priors=one).check([(2, 4), (2, 3)])
    with pytest.raises(ValueError, match="four numbers"):
        form("anchored", priors=one, variances="1:2")


def test_outputs_that_do_not_fit_are_refused() -> None:
    for shapes in (
        [(9, 4)],
        [(9, 4), (8, 3)],
        [(9, 4), (9, 3), (9, 2)],
        [(9, 5), (9, 3)],
        [(9, 4), (2, 9, 3)],
    ):
        with pytest.raises(ValueError, match="two outputs"):
            form("scores").check(shapes)
    assert form("scores", background=0).check([(9, 4), (9, 4)]) == 3
