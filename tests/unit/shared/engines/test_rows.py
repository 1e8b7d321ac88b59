"""Rows that a network selects itself: in another order they are the same, and a few may be others."""

from __future__ import annotations

import numpy as np

from shared.engines.probe import MAY_DIFFER, output_error, selection_error

ROWS = 100
WANT = (
    np.random.default_rng(0).normal(size=(2, ROWS, 3, 4)).astype(np.float32) * 100,
    np.random.default_rng(1).random((2, ROWS, 3)).astype(np.float32),
)


def changed(rows: int, by: float = 1.0) -> tuple[np.ndarray, ...]:
    """`WANT` backwards, with other values in this many rows of the second picture."""
    boxes, scores = (each[:, ::-1].copy() for each in WANT)
    scores[1, :rows] += by
    return boxes, scores


def test_the_order_of_rows_does_not_matter_and_a_few_may_be_others() -> None:
    few = int(MAY_DIFFER * ROWS)
    assert selection_error(changed(0), WANT) < 1e-12
    assert selection_error(changed(few), WANT) < 1e-12
    assert selection_error(changed(few + 1), WANT) > 0.05
    assert selection_error(tuple(reversed(changed(ROWS))), tuple(reversed(WANT))) > 0.5


def test_rounding_in_all_rows_is_a_relative_error() -> None:
    error = selection_error(tuple(each * np.float32(1.001) for each in changed(0)), WANT)
    assert 5e-4 < error < 2e-3


def test_a_row_that_is_there_only_once_is_none_of_many() -> None:
    boxes, scores = (np.repeat(each[:, :1], ROWS, axis=1) for each in WANT)
    assert selection_error((boxes, scores), WANT) > 0.5


def test_rows_that_hold_nothing_are_not_compared() -> None:
    held = 10  # so that no row may be another
    want = tuple(each.copy() for each in WANT)
    for each in want:
        each[:, held:] = -1
    got = tuple(each[:, ::-1].copy() for each in want)
    assert selection_error(got, want) < 1e-12
    got[1][0, -1] += 0.5
    assert selection_error(got, want) > 0.05
    nothing = tuple(np.full_like(each, -1) for each in want)
    assert selection_error(nothing, nothing) == 0
    assert selection_error(nothing, want) == selection_error(want, nothing) == 1


def test_what_is_no_answer_is_no_number() -> None:
    broken = changed(0)
    broken[0][0, 0, 0, 0] = np.nan
    assert np.isnan(selection_error(broken, WANT))
    assert np.isnan(output_error(broken, WANT, (0, 1)))
    assert np.isnan(selection_error(tuple(each[:, 1:] for each in WANT), WANT))
    many = (np.zeros((1, 5000, 4), np.float32),)
    assert np.isnan(selection_error(many, many))


def test_only_outputs_that_were_selected_may_be_in_another_order() -> None:
    assert output_error(WANT, WANT, ()) == output_error(WANT, WANT, (0, 1)) == 0
    assert output_error(changed(0), WANT, (0, 1)) < 1e-12
    assert output_error(changed(0), WANT, ()) > 0.5
    assert output_error((WANT[0], changed(0)[1]), WANT, (0,)) > 0.5
    # Rows belong together: boxes with the scores of others are others.
    assert output_error((WANT[0], changed(0)[1]), WANT, (0, 1)) > 0.05
