"""Places of pyramids."""

from __future__ import annotations

import numpy as np

from shared.tasks.detection.reading.pyramids import Pyramid, centres, count_places, grid, places, pyramids


def test_places_go_row_by_row_and_level_by_level() -> None:
    assert grid(2, 3).tolist() == [[0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1]]
    found, strides = places((32, 64), (16, 32))
    assert strides.tolist() == [16] * 8 + [32] * 2
    assert found[8:].tolist() == [[0, 0], [1, 0]]
    assert count_places((32, 64), (16, 32)) == len(found)
    assert count_places((33, 64), (32,)) == 4, "a part of a place is a place"


def test_the_pyramid_that_a_number_of_boxes_is() -> None:
    assert pyramids((640, 640), 8400)[0] == Pyramid((8, 16, 32), 1)
    assert pyramids((640, 640), 25200)[0] == Pyramid((8, 16, 32), 3)
    assert pyramids((640, 640), 3 * (40 * 40 + 20 * 20))[0] == Pyramid((16, 32), 3)
    assert Pyramid((8, 16, 32, 64), 1) in pyramids((416, 416), 52**2 + 26**2 + 13**2 + 7**2)
    assert pyramids((640, 640), 301) == []


def test_where_the_boxes_of_a_place_are() -> None:
    pyramid = Pyramid((16,), 2)
    kind_by_kind = centres((16, 32), pyramid, innermost=False)
    place_by_place = centres((16, 32), pyramid, innermost=True)
    assert kind_by_kind.tolist() == [[8, 8], [24, 8], [8, 8], [24, 8]]
    assert place_by_place.tolist() == [[8, 8], [8, 8], [24, 8], [24, 8]]
    assert np.array_equal(
        centres((16, 32), Pyramid((8, 16), 1), innermost=True)[-2:], np.array([[8, 8], [24, 8]])
    )
