"""Boxes as networks write them."""

from __future__ import annotations

import numpy as np

from shared.tasks.detection.reading.geometry import bounded, corners_of

SIZE = (50, 100)


def test_every_way_to_write_a_box_gives_the_same_corners() -> None:
    for kind, values in (
        ("xyxy", [10, 20, 30, 26]),
        ("yxyx", [20, 10, 26, 30]),
        ("xywh", [10, 20, 20, 6]),
        ("cxcywh", [20, 23, 20, 6]),
    ):
        given = np.array([values], np.float32)
        assert corners_of(given, kind, "pixels", SIZE).tolist() == [[10, 20, 30, 26]], kind
    sides = np.array([[100, 50, 100, 50]], np.float32)
    normalised = np.array([[20, 23, 20, 6]], np.float32) / sides
    np.testing.assert_allclose(
        corners_of(normalised, "cxcywh", "normalised", SIZE), [[10, 20, 30, 26]], atol=1e-5
    )


def test_corners_stay_where_areas_are_finite() -> None:
    found = bounded(np.array([[-np.inf, np.nan, np.inf, 1e300], [1, 2, 3, 4]]), SIZE)
    assert found.tolist() == [[-400, 0, 400, 200], [1, 2, 3, 4]]
