"""Rows in another order are compared as sets."""

from __future__ import annotations

import numpy as np

from shared.bundling.checking.matching import in_order_of
from shared.bundling.checking.probe import relative_error


def _outputs(rows: int, found: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Two pictures' boxes (2, rows, 4), scores (2, rows) and what has no rows (2, 5)."""
    random = np.random.default_rng(seed)
    boxes, scores = np.full((2, rows, 4), -1, np.float32), np.full((2, rows), -1, np.float32)
    boxes[:, :found] = 100 * random.random((2, found, 4))
    scores[:, :found] = random.random((2, found))
    return boxes, scores, random.random((2, 5)).astype(np.float32)


def test_rows_move_together_to_where_they_fit() -> None:
    want = _outputs(rows=12, found=7)
    order = np.random.default_rng(1).permutation(7)
    got = tuple(each.copy() for each in want)
    for each in got[:2]:
        each[:, :7] = each[:, order] * np.float32(1 + 1e-6)
    assert relative_error(got, want) > 0.1
    assert relative_error(in_order_of(got, want, {0: 1, 1: 1}), want) < 1e-5


def test_another_score_stays_another_score() -> None:
    want = _outputs(rows=12, found=7)
    got = tuple(each.copy() for each in want)
    got[1][0, [2, 3]] = got[1][0, [3, 2]]
    assert relative_error(in_order_of(got, want, {0: 1, 1: 1}), want) > 1e-2


def test_a_missing_row_is_missed() -> None:
    want = _outputs(rows=12, found=7)
    got = tuple(each.copy() for each in want)
    got[0][1, 6], got[1][1, 6] = -1, -1
    assert relative_error(in_order_of(got, want, {0: 1, 1: 1}), want) > 1e-2


def test_what_is_filled_up_does_not_make_an_error_small() -> None:
    want = _outputs(rows=5000, found=1)
    got = tuple(each.copy() for each in want)
    got[1][:, 0] += np.float32(0.01)
    assert relative_error(got, want) > 1e-2 * 0.5


def test_rows_may_lie_along_another_dimension() -> None:
    want = (np.arange(24, dtype=np.float32).reshape(2, 3, 4),)
    got = (want[0][:, :, ::-1].copy(),)
    np.testing.assert_array_equal(in_order_of(got, want, {0: 2})[0], want[0])
