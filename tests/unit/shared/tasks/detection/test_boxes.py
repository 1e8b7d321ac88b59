"""The answer of detect: what it says, and where its boxes lie in the camera's picture."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from shared.network.recipe import Recipe
from shared.tasks.detection.boxes import MAX_BOXES, Box, Boxes, boxes_of, parse_boxes

ANSWER = Boxes(
    (
        Box(1, "dog", 0.9, (10.0, 20.0, 30.5, 40.0)),
        Box(0, "cat", 0.8, (0.0, 0.0, 5.0, 5.0)),
        Box(1, "dog", 0.5, (50.0, 20.0, 64.0, 48.0)),
    ),
    (64, 48),
    2,
)
LABELS = ("cat", "dog")


def sent(answer: Boxes) -> Any:
    return json.loads(json.dumps(answer.fields()))


def name_of(number: int) -> str:
    if number >= len(LABELS):
        raise ValueError(f"class {number}")
    return LABELS[number]


def test_what_is_seen_and_how_many() -> None:
    assert ANSWER.headline() == "2 dog, 1 cat"
    assert ANSWER.findings() == [("dog", 0.9), ("cat", 0.8)]
    both = Boxes((ANSWER.boxes[1], ANSWER.boxes[0]), (64, 48))
    assert both.headline() == "1 cat, 1 dog", "equal counts are in the order of names"
    assert Boxes((), (64, 48)).headline() == "nothing"
    assert Boxes().headline() == "", "no network has answered"
    assert Boxes().findings() == []


def test_the_fields_are_ready_for_json_and_come_back() -> None:
    assert sent(ANSWER)["boxes"][0] == {
        "class_id": 1,
        "label": "dog",
        "score": 0.9,
        "box": [10.0, 20.0, 30.5, 40.0],
    }
    assert sent(ANSWER)["size"] == [64, 48]
    assert sent(ANSWER)["more"] == 2
    assert parse_boxes(sent(ANSWER), name_of, (64, 48)) == ANSWER
    assert parse_boxes(sent(ANSWER), None, None) == ANSWER
    assert sent(Boxes()) == {"boxes": [], "size": None, "more": 0}


def test_names_are_this_sides() -> None:
    fields = sent(ANSWER)
    fields["boxes"][0]["label"] = "wolf"
    assert parse_boxes(fields, name_of, (64, 48)) == ANSWER
    assert parse_boxes(fields, None, None).boxes[0].label == "wolf"


def test_every_value_of_a_reply_is_checked() -> None:
    box = sent(ANSWER)["boxes"][0]
    cases: list[tuple[str, dict[str, Any]]] = [
        ("no list", {"boxes": {}}),
        ("too many", {"boxes": [box] * (MAX_BOXES + 1)}),
        ("no size", {"size": None}),
        ("another size", {"size": [65, 48]}),
        ("size of three", {"size": [64, 48, 3]}),
        ("no whole size", {"size": [64.0, 48]}),
        ("more is negative", {"more": -1}),
        ("more is no number", {"more": "2"}),
        ("worst first", {"boxes": sent(ANSWER)["boxes"][::-1]}),
    ]
    wrong: list[tuple[str, Any]] = [
        ("class_id", -1), ("class_id", 2), ("class_id", True), ("class_id", 1.0), ("class_id", "1"), ("class_id", 10**30),
        ("score", 1.01), ("score", -0.1), ("score", float("nan")), ("score", "0.5"), ("score", True), ("score", None),
        ("box", [1, 2, 3]), ("box", [10, 20, 10, 40]), ("box", [10, 20, 30, 20]), ("box", [-1, 0, 5, 5]),
        ("box", [0, 0, 65, 5]), ("box", [0, 0, 5, 49]), ("box", [0, 0, float("inf"), 5]), ("box", "1234"), ("box", None),
        ("box", [0, 0, 10**400, 5]),
    ]  # fmt: skip
    cases += [(f"{key} {value}"[:60], {"boxes": [{**box, key: value}]}) for key, value in wrong]
    for what, change in cases:
        with pytest.raises((ValueError, TypeError, KeyError, AttributeError, OverflowError)):
            raise AssertionError((what, parse_boxes({**sent(ANSWER), **change}, name_of, (64, 48))))
    for key in ("boxes", "size", "more"):
        with pytest.raises(KeyError):
            parse_boxes({name: value for name, value in sent(ANSWER).items() if name != key}, name_of, None)
    for label in ("\ud800", None, 7):
        with pytest.raises((ValueError, AttributeError)):
            parse_boxes({**sent(ANSWER), "boxes": [{**box, "label": label}]}, None, None)
    for size in ([0, 48], [1 << 20, 1 << 20]):
        with pytest.raises(ValueError, match="a size of"):
            parse_boxes({**sent(ANSWER), "size": size}, None, None)


def test_boxes_are_clipped_to_the_picture_and_at_most_so_many() -> None:
    corners = np.array([[-5, -5, 10, 10], [60, 40, 70, 60], [-9, 0, -1, 5], [5, 5, 5.004, 9]], np.float64)
    found = boxes_of(corners, [0.9, 0.8, 0.7, 0.6], [0, 1, 0, 1], name_of, (64, 48))
    assert [each.corners for each in found.boxes] == [(0, 0, 10, 10), (60, 40, 64, 48)]
    many = MAX_BOXES + 7
    places = np.tile(np.array([[1, 1, 2, 2]], np.float64), (many, 1))
    found = boxes_of(places, [0.5] * many, [0] * many, name_of, (64, 48))
    assert (len(found.boxes), found.more) == (MAX_BOXES, 7)
    with pytest.raises(ValueError, match="class 2"):
        boxes_of(places[:1], [0.5], [2], name_of, (64, 48))


def test_places_become_the_cameras() -> None:
    sides = {"mean": (0.0,) * 3, "std": (1.0,) * 3}
    box = Box(0, "cat", 0.9, (16.0, 16.0, 48.0, 32.0))
    cases: list[tuple[Recipe, tuple[int, int], tuple[float, ...]]] = [
        (Recipe(64, 48, fit="stretch", **sides), (96, 256), (64, 32, 192, 64)),
        # 128x48 scaled to 64x24, with 12 rows of padding above: y = (y - 12) * 2
        (Recipe(64, 48, fit="letterbox", **sides), (48, 128), (32, 8, 96, 40)),
        # 96x96: scaled to 64x64, of which the rows 8 … 56 are seen
        (Recipe(64, 48, fit="crop", **sides), (96, 96), (24, 36, 72, 60)),
    ]
    for recipe, size, expected in cases:
        found = Boxes((box,), (64, 48), 3).in_picture(recipe, size)
        assert found.boxes[0].corners == pytest.approx(expected), recipe.fit
        assert (found.size, found.more) == ((size[1], size[0]), 3), recipe.fit
    assert Boxes().in_picture(cases[0][0], (96, 256)) == Boxes()


def test_boxes_in_the_padding_go() -> None:
    recipe = Recipe(64, 48, (0.0,) * 3, (1.0,) * 3, fit="letterbox")
    padding = Box(0, "cat", 0.9, (0.0, 0.0, 64.0, 11.0))
    partly = Box(0, "cat", 0.8, (0.0, 0.0, 64.0, 24.0))
    found = Boxes((padding, partly), (64, 48)).in_picture(recipe, (48, 128))
    assert [each.corners for each in found.boxes] == [(0, 0, 128, 24)]


def test_names_of_others_are_text_of_one_line() -> None:
    for name in ("cat\x1b[2J", "cat\nforged line", "\ud800", "x" * 1001, None, 7):
        fields = sent(ANSWER)
        fields["boxes"][0]["label"] = name
        with pytest.raises(ValueError, match="one line"):
            parse_boxes(fields, None, None)
        assert parse_boxes(fields, name_of, (64, 48)) == ANSWER, "names are this side's"
