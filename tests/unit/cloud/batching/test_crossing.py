"""Crossings of one tensor and of several: frames are rows of all of them alike."""

from __future__ import annotations

import numpy as np

from cloud.batching.crossing import Crossing, frames_in, join, rows


def crossing(*numbers: float) -> Crossing:
    """A frame for each number, with two tensors of different shapes that hold it."""
    values = np.array(numbers, np.float32)
    return np.tile(values[:, None], (1, 3)), np.tile(values[:, None, None], (1, 2, 2))


def test_the_frames_of_a_crossing_are_the_rows_of_each_tensor() -> None:
    for numbers in ((1.0,), (1.0, 2.0, 3.0)):
        assert frames_in(crossing(*numbers)) == len(numbers)
    for tensors, expected in zip(rows(crossing(1, 2, 3, 4), 1, 3), crossing(2, 3), strict=True):
        np.testing.assert_array_equal(tensors, expected)


def test_rows_are_views_and_one_crossing_alone_is_not_copied() -> None:
    whole = crossing(1, 2, 3)
    assert all(part.base is not None for part in rows(whole, 0, 2))
    assert join([whole]) is whole


def test_crossings_are_joined_tensor_by_tensor_in_order() -> None:
    joined = join([crossing(1, 2), crossing(3), crossing(4, 5)])
    assert frames_in(joined) == 5
    for tensors, expected in zip(joined, crossing(1, 2, 3, 4, 5), strict=True):
        np.testing.assert_array_equal(tensors, expected)
