"""The selection among candidates, compared with a loop over pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from shared.tasks.detection.candidates import MAX_CANDIDATES, Candidates, best, overlaps, selected

if TYPE_CHECKING:
    from numpy.typing import NDArray


def crowd(count: int, classes: int, seed: int) -> Candidates:
    rng = np.random.default_rng(seed)
    first = rng.uniform(0, 60, (count, 2))
    corners = np.concatenate([first, first + rng.uniform(5, 40, (count, 2))], axis=1)
    scores = np.round(rng.random(count), 2)  # many are equal
    return Candidates(corners, scores, rng.integers(0, classes, count))


def overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return width * height / (sum(areas) - width * height)


def greedy(given: Candidates, most: float) -> list[int]:
    """The definition, pair by pair."""
    kept: list[int] = []
    for row in sorted(range(len(given.scores)), key=lambda each: -given.scores[each]):
        if all(
            given.classes[row] != given.classes[other]
            or overlap(given.corners[row], given.corners[other]) <= most
            for other in kept
        ):
            kept.append(row)
    return kept


def test_the_selection_is_the_greedy_one_within_each_class() -> None:
    for count, classes, most in ((0, 1, 0.5), (1, 1, 0.5), (60, 3, 0.3), (300, 2, 0.5), (400, 1, 0.1)):
        given = crowd(count, classes, seed=count)
        kept = greedy(given, most)
        found = selected(given, most)
        np.testing.assert_array_equal(found.corners, given.corners[kept])
        np.testing.assert_array_equal(found.scores, given.scores[kept])
        np.testing.assert_array_equal(found.classes, given.classes[kept])
        assert count < 60 or len(kept) < count, "nothing was selected"


def test_an_overlap_of_one_selects_nothing_away() -> None:
    given = crowd(50, 1, seed=1)
    twice = Candidates(*(np.concatenate([each, each]) for each in given))
    found = selected(twice, 1.0)
    assert len(found.scores) == 100
    assert (np.diff(found.scores) <= 0).all()


def test_only_the_best_of_too_many_are_looked_at() -> None:
    given = crowd(3 * MAX_CANDIDATES, 5, seed=2)
    found = selected(given, 1.0)
    assert len(found.scores) == MAX_CANDIDATES
    np.testing.assert_array_equal(found.scores, np.sort(given.scores)[::-1][:MAX_CANDIDATES])


def test_the_best_come_first_and_ties_in_order() -> None:
    scores = np.array([0.5, 0.9, 0.5, 0.1, 0.9, 0.5])
    assert best(scores, 10).tolist() == [1, 4, 0, 2, 5, 3]
    assert best(scores, 4).tolist() == [1, 4, 0, 2]
    assert best(scores, 6).tolist() == [1, 4, 0, 2, 5, 3]
    assert best(np.empty(0), 3).tolist() == []


def test_boxes_without_area_overlap_nothing() -> None:
    boxes = np.array([[1, 1, 1, 1], [0, 0, 4, 2], [2, 0, 6, 2], [3, 1, 2, 0]], np.float64)
    found = overlaps(boxes, boxes)
    assert found[0].tolist() == [0, 0, 0, 0]
    assert found[3].tolist() == [0, 0, 0, 0]
    assert found[1] == pytest.approx([0, 1, 1 / 3, 0])
    assert len(selected(Candidates(boxes, np.ones(4), np.zeros(4, np.intp)), 0.4).scores) == 4
