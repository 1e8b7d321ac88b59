"""How two outputs of a detector compare."""

from __future__ import annotations

import numpy as np
import pytest
from kits.detecting import detector, random

from shared.tasks.detection.candidates import Candidates
from shared.tasks.detection.comparing import matches, selected_divergence

BOXES = np.array([[10, 10, 30, 30], [40, 10, 60, 30], [70, 40, 90, 80]], np.float32)


def candidates(boxes: np.ndarray, scores: list[float], classes: list[int]) -> Candidates:
    return Candidates(boxes.astype(np.float64), np.array(scores), np.array(classes))


def batch(*frames: tuple[np.ndarray, list[float], list[int]]) -> tuple[np.ndarray, ...]:
    """Outputs of the form `boxes` for several frames."""
    boxes, scores, labels = zip(*frames, strict=True)
    return np.stack(boxes), np.array(scores, np.float32), np.array(labels, np.float32)


def test_boxes_match_one_to_one_within_a_class() -> None:
    expected = candidates(BOXES, [0.9, 0.8, 0.7], [0, 0, 1])
    moved = BOXES.astype(np.float64) + np.array([5, 0, 5, 0])  # overlap 15 * 20 / (2 * 400 - 300) = 0.6
    cases = [
        ("the same", candidates(BOXES, [0.9, 0.8, 0.7], [0, 0, 1]), [(0, 0), (1, 1), (2, 2)]),
        ("moved a little", candidates(moved, [0.9, 0.8, 0.7], [0, 0, 1]), [(0, 0), (1, 1), (2, 2)]),
        ("moved too far", candidates(moved + np.array([4, 0, 4, 0]), [0.9, 0.8, 0.7], [0, 0, 1]), []),
        ("another class", candidates(BOXES, [0.9, 0.8, 0.7], [0, 1, 1]), [(0, 0), (2, 2)]),
        ("twice", candidates(BOXES[[0, 0]], [0.6, 0.9], [0, 0]), [(0, 1)]),
        ("none", candidates(BOXES[:0], [], []), []),
    ]
    for what, found, pairs in cases:
        assert sorted(matches(expected, found)) == pairs, what
    assert matches(candidates(BOXES[:0], [], []), expected) == []


def test_a_box_takes_the_one_that_it_overlaps_most() -> None:
    expected = candidates(np.array([[0, 0, 20, 20], [4, 0, 24, 20]]), [0.9, 0.8], [0, 0])
    found = candidates(np.array([[4, 0, 24, 20], [2, 0, 22, 20]]), [0.9, 0.8], [0, 0])
    assert sorted(matches(expected, found)) == [(0, 1), (1, 0)]


def test_agreement_counts_boxes_of_every_frame() -> None:
    task = detector("boxes")
    expected = batch((BOXES, [0.9, 0.8, 0.7], [0, 0, 1]), (BOXES, [0.9, 0.3, -1], [0, 0, 0]))
    found = batch((BOXES, [0.9, 0.2, 0.7], [0, 0, 2]), (BOXES, [0.9, 0.5, -1], [0, 0, 0]))
    agreement = task.agreement(expected, found)
    assert agreement.matched.tolist() == [1, 1]
    assert agreement.expected.tolist() == [3, 1]
    assert agreement.found.tolist() == [2, 2]
    assert agreement.share == pytest.approx(2 * 2 / 8)
    assert agreement.kept == pytest.approx(2 / 4)
    same = task.agreement(expected, expected)
    assert (same.share, same.kept) == (1, 1)


def test_divergence_of_selected_boxes_is_none_for_the_same_and_grows_with_every_difference() -> None:
    expected = candidates(BOXES, [0.9, 0.8, 0.7], [0, 0, 1])
    assert selected_divergence(expected, expected) == 0
    moved = [
        selected_divergence(expected, candidates(BOXES + shift, [0.9, 0.8, 0.7], [0, 0, 1]))
        for shift in (0.1, 0.2, 0.4, 2, 4)
    ]
    assert moved == sorted(moved)
    assert moved[0] > 0
    assert moved[1] / moved[0] == pytest.approx(4, rel=0.05), "small differences count as their squares"
    scored = [
        selected_divergence(expected, candidates(BOXES, [0.9 - less, 0.8, 0.7], [0, 0, 1]))
        for less in (0.05, 0.1, 0.2, 0.8)
    ]
    assert scored == sorted(scored)
    lost = selected_divergence(expected, candidates(BOXES[1:], [0.8, 0.7], [0, 1]))
    assert lost > scored[-1] > 0
    nothing = candidates(BOXES[:0], [], [])
    assert selected_divergence(expected, nothing) > lost
    assert selected_divergence(nothing, expected) > 0
    assert selected_divergence(nothing, nothing) == 0


def test_divergence_of_dense_heads_grows_smoothly_with_the_error() -> None:
    boxes = random(2, 60, 4) * 20
    boxes[..., 2:] += boxes[..., :2] + 10
    logits = 8 * random(2, 60, 3) - 6
    noise = 2 * random(2, 60, 3, seed=9) - 1
    task = detector("scores", activation="sigmoid")
    assert task.divergence((boxes, logits), (boxes, logits)).tolist() == [0, 0]
    small, larger = (
        task.divergence((boxes, logits), (boxes, (logits + size * noise).astype(np.float32)))
        for size in (0.01, 0.02)
    )
    assert (small > 0).all()
    np.testing.assert_allclose(larger / small, 4, rtol=0.1)
    moved = task.divergence((boxes, logits), (boxes + 1, logits))
    assert (moved > 0).all()
    assert (task.divergence((boxes, logits), (boxes + 3, logits)) > moved).all()


def test_what_no_threshold_lets_through_does_not_count() -> None:
    boxes = np.tile(np.array([[1, 1, 9, 9]], np.float32), (1, 500, 1))
    low, lower = np.full((1, 500, 3), 0.009, np.float32), np.full((1, 500, 3), 0.0001, np.float32)
    assert detector("scores").divergence((boxes, low), (boxes + 50, lower)).tolist() == [0]
