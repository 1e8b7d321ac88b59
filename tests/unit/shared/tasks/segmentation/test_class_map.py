"""The answer of segment: runs that give the map back, in a bounded reply."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from shared.limits import MAX_REPLY_BYTES
from shared.network.recipe import Recipe
from shared.tasks.segmentation.class_map import MAX_RUNS, ClassMap, class_map, parse_map

LABELS = ("road", "car", "sky")
MAP = np.array([[0, 0, 1, 1], [1, 1, 1, 0], [0, 0, 0, 0]])
SIZE = (8, 6)


def sent(answer: ClassMap) -> Any:
    return json.loads(json.dumps(answer.fields()))


def test_runs_go_row_by_row_and_give_the_map_back() -> None:
    answer = class_map(MAP, LABELS, SIZE)
    assert answer.runs == (0, 2, 1, 5, 0, 5)
    assert answer.size == (4, 3)
    assert answer.covers == (0, 0, 8, 6)
    np.testing.assert_array_equal(answer.array(), MAP)
    assert [(each.label, each.share) for each in answer.shares] == [
        ("road", pytest.approx(7 / 12, abs=1e-6)),
        ("car", pytest.approx(5 / 12, abs=1e-6)),
    ]
    rng = np.random.default_rng(0)
    for shape in ((1, 1), (1, 9), (7, 1), (31, 17)):
        each = rng.integers(0, 3, shape)
        np.testing.assert_array_equal(class_map(each, LABELS, SIZE).array(), each)


def test_the_headline_names_what_covers_a_hundredth() -> None:
    large = np.zeros((20, 20), int)
    large[:, 0], large[0, :3] = 1, 2
    assert class_map(large, LABELS, SIZE).headline() == "road, car"
    large[0, :5] = 2
    assert class_map(large, LABELS, SIZE).headline() == "road, car, sky"
    assert class_map(large, LABELS, SIZE).findings()[0][0] == "road"
    assert ClassMap().headline() == ""


def test_a_noisy_map_is_thinned_out_until_the_reply_holds_it() -> None:
    labels = tuple(f"a class with a long name {number:30d}" for number in range(300))
    noise = np.random.default_rng(0).integers(0, 300, (520, 520))
    answer = class_map(noise, labels, (520, 520))
    assert len(answer.runs) <= 2 * MAX_RUNS
    assert answer.thinned > 1
    np.testing.assert_array_equal(
        answer.array(), noise[answer.thinned // 2 :: answer.thinned, answer.thinned // 2 :: answer.thinned]
    )
    assert sum(each.share for each in answer.shares) == pytest.approx(1, abs=1e-3), "of all pixels"
    assert len(json.dumps(answer.fields())) < MAX_REPLY_BYTES
    assert parse_map(sent(answer), labels, (520, 520)) == answer


def test_answers_travel_and_keep_this_sides_names() -> None:
    answer = class_map(MAP, LABELS, SIZE)
    assert parse_map(sent(answer), LABELS, SIZE) == answer == parse_map(sent(answer), None, None)
    other = ("street", "truck", "sky")
    assert parse_map(sent(answer), other, SIZE).headline() == "street, truck"
    assert sent(ClassMap())["size"] is None


def test_every_value_of_a_reply_is_checked() -> None:
    share, other = sent(class_map(MAP, LABELS, SIZE))["shares"]
    cases: list[tuple[str, dict[str, Any]]] = [
        ("no list", {"runs": "0"}),
        ("an odd number", {"runs": [0, 12, 1]}),
        ("too many", {"runs": [0, 1] * (MAX_RUNS + 1)}),
        ("a class that there is not", {"runs": [3, 12]}),
        ("a negative class", {"runs": [-1, 12]}),
        ("no length", {"runs": [0, 0, 1, 12]}),
        ("fills too little", {"runs": [0, 11]}),
        ("fills too much", {"runs": [0, 13]}),
        ("no whole numbers", {"runs": [0, 12.0]}),
        ("a truth", {"runs": [True, 12]}),
        ("no size", {"size": None}),
        ("a size of 0", {"size": [0, 3]}),
        ("a huge size", {"size": [1 << 20, 1 << 20], "runs": [0, 1 << 40]}),
        ("thinned 0 times", {"thinned": 0}),
        ("covers too much", {"covers": [0, 0, 9, 6]}),
        ("covers no number", {"covers": [0, 0, 8, None]}),
        ("covers infinity", {"covers": [0, 0, 8, float("inf")]}),
        ("no shares", {"shares": []}),
        ("a class twice", {"shares": [share, share]}),
        ("smallest first", {"shares": sent(class_map(MAP, LABELS, SIZE))["shares"][::-1]}),
        ("a share of 2", {"shares": [{**share, "share": 2}]}),
        ("no share", {"shares": [{**share, "share": float("nan")}]}),
        ("another class", {"shares": [{**share, "class_id": 3}]}),
        ("a class of the map left out", {"shares": [share]}),
        ("a class that the map has not", {"shares": [share, {**other, "class_id": 2}]}),
        (
            "thinned, with shares above 1",
            {"thinned": 2, "shares": [{**share, "share": 1}, {**other, "share": 1}]},
        ),
        (
            "thinned, with shares below 1",
            {"thinned": 2, "shares": [{**share, "share": 0.3}, {**other, "share": 0.3}]},
        ),
        ("thinned, with a class that has no share", {"thinned": 2, "shares": [{**share, "share": 1}]}),
        ("shares of another map", {"shares": [{**share, "share": share["share"] - 0.01}, other]}),
    ]
    for what, change in cases:
        with pytest.raises((ValueError, TypeError, KeyError, AttributeError, OverflowError)):
            raise AssertionError(
                (what, parse_map({**sent(class_map(MAP, LABELS, SIZE)), **change}, LABELS, SIZE))
            )
    with pytest.raises((ValueError, AttributeError)):
        parse_map(
            {**sent(class_map(MAP, LABELS, SIZE)), "shares": [{**share, "label": "\ud800"}]}, None, None
        )


def test_what_the_map_covers_of_the_cameras_picture() -> None:
    sides = {"mean": (0.0,) * 3, "std": (1.0,) * 3}
    cases: list[tuple[Recipe, tuple[int, int], tuple[float, ...]]] = [
        (Recipe(8, 6, fit="stretch", **sides), (60, 160), (0, 0, 160, 60)),
        (Recipe(8, 6, fit="letterbox", **sides), (40, 80), (0, -10, 80, 50)),
        (Recipe(8, 6, fit="crop", **sides), (80, 80), (0, 10, 80, 70)),
    ]
    for recipe, size, expected in cases:
        found = class_map(MAP, LABELS, SIZE).in_picture(recipe, size)
        assert found.covers == pytest.approx(expected), recipe.fit
        assert found.runs == class_map(MAP, LABELS, SIZE).runs, "nothing is resampled"
    assert ClassMap().in_picture(cases[0][0], (60, 160)) == ClassMap()
