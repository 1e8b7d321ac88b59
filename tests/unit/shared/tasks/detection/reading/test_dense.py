"""Scores of dense heads: what is above a threshold is found whatever the values are, and in any memory order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kits.detecting import form, random

from shared.tasks.detection.candidates import MAX_CANDIDATES

PLACES, CLASSES = 40, 3


def softmax(values: np.ndarray) -> np.ndarray:
    exponentials = np.exp(values.astype(np.float64))
    return exponentials / exponentials.sum(1, keepdims=True)


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values.astype(np.float64)))


def expected(scores: np.ndarray, threshold: float, *, only_best: bool) -> list[tuple[int, int, float]]:
    """(place, class, score), place by place."""
    found = [
        (place, number, float(score))
        for place, row in enumerate(scores)
        for number, score in enumerate(row)
        if score > threshold and (not only_best or number == row.argmax())
    ]
    return sorted(found)


def found_in(reader: Any, outputs: Any, threshold: float) -> list[tuple[int, int, float]]:
    """The places are told by the boxes: place n has its left side at n."""
    found = reader.candidates(outputs, threshold)
    return sorted(
        (int(left), int(number), float(score))
        for left, number, score in zip(found.corners[:, 0], found.classes, found.scores, strict=True)
    )


def places() -> np.ndarray:
    left = np.arange(PLACES, dtype=np.float32)
    return np.stack([left, np.zeros_like(left), left + 1, np.ones_like(left)], axis=1)


def test_two_outputs_with_every_activation_and_background() -> None:
    logits = (10 * random(PLACES, CLASSES) - 5).astype(np.float32)
    cases: list[tuple[str, dict[str, Any], np.ndarray, np.ndarray]] = [
        ("none", {}, random(PLACES, CLASSES), random(PLACES, CLASSES)),
        ("sigmoid", {}, logits, sigmoid(logits)),
        ("softmax", {}, logits, softmax(logits)),
        ("softmax", {"background": 0}, logits, softmax(logits)[:, 1:]),
        ("softmax", {"background": -1}, logits, softmax(logits)[:, :-1]),
        ("none", {"background": -1}, random(PLACES, CLASSES), random(PLACES, CLASSES)[:, :-1]),
        ("sigmoid", {"class_power": 0.5}, logits, sigmoid(logits) ** 0.5),
    ]
    for activation, options, values, scores in cases:
        for per_box in ("best", "all"):
            for threshold in (0.0, 0.3, 0.6, 0.99, 1.0):
                reader = form("scores", activation=activation, per_box=per_box, **options)  # type: ignore[arg-type]
                outputs = [(places(), values), (places(), np.asfortranarray(values))]
                for number, given in enumerate(outputs):
                    found = found_in(reader, given, threshold)
                    wanted = expected(scores, threshold, only_best=per_box == "best")
                    what = (activation, options, per_box, threshold, number)
                    assert [each[:2] for each in found] == [each[:2] for each in wanted], what
                    assert [each[2] for each in found] == pytest.approx([each[2] for each in wanted]), what


def test_the_score_with_an_objectness() -> None:
    logits = (8 * random(PLACES, 5 + CLASSES) - 4).astype(np.float32)
    probabilities = random(PLACES, 5 + CLASSES)
    for rows in (logits, probabilities):
        rows[:, :4] = places()
    for activation, rows, activated in (
        ("none", probabilities, probabilities),
        ("sigmoid", logits, sigmoid(logits)),
    ):
        for first, second in ((1, 1), (0.6, 0.4)):
            reader = form(
                "yolov5", activation=activation, box="xyxy", objectness_power=first, class_power=second
            )
            scores = activated[:, 4:5] ** first * activated[:, 5:] ** second
            for threshold in (0.0, 0.2, 0.5):
                found = found_in(reader, (rows,), threshold)
                wanted = expected(scores, threshold, only_best=True)
                assert [each[:2] for each in found] == [each[:2] for each in wanted], (activation, first)
                assert [each[2] for each in found] == pytest.approx([each[2] for each in wanted])


def test_thousands_of_candidates_are_bounded() -> None:
    values = random(9000, 4)
    boxes = np.tile(np.array([[0, 0, 9, 9]], np.float32), (9000, 1))
    found = form("scores").candidates((boxes, values), 0.0)
    assert len(found.scores) == MAX_CANDIDATES
    best = np.sort(values.ravel())[::-1][:MAX_CANDIDATES]
    np.testing.assert_allclose(np.sort(found.scores)[::-1], best)


def test_what_an_activation_would_be_is_told_from_the_values() -> None:
    for options, values, activation in (
        ({}, random(PLACES, CLASSES), "none"),
        ({}, 9 * random(PLACES, CLASSES) - 4, "sigmoid"),
        ({"background": 0}, 9 * random(PLACES, CLASSES) - 4, "softmax"),
    ):
        assert form("scores", **options).activation_of((places(), values)) == activation  # type: ignore[arg-type]
