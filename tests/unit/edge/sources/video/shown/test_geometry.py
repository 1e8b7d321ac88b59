"""The shape of pictures: square pixels, and the right way up."""

from __future__ import annotations

import struct
from fractions import Fraction
from types import SimpleNamespace

import numpy as np

from edge.sources.video.shown.geometry import Orientation, Orientations, shown_size

ONE = 1 << 16


def test_the_side_that_is_too_short_grows():
    cases = [
        (Fraction(2), (128, 48)),
        (Fraction(16, 15), (68, 48)),
        (Fraction(1, 2), (64, 96)),
        (Fraction(1), (64, 48)),
        (None, (64, 48)),
        (Fraction(0), (64, 48)),
        (Fraction(1000), (64, 48)),
        (Fraction(1, 1000), (64, 48)),
    ]
    for aspect, expected in cases:
        assert shown_size(64, 48, aspect) == expected, aspect


def frame(right=None, down=None, *, key=True, rotation=0, unknown=False):
    """A frame whose display matrix leads a step right to `right` and a step down to `down`."""

    class SideData(bytes):
        type = SimpleNamespace(name="DISPLAYMATRIX")

    class Frame:
        key_frame = key

        @property
        def side_data(self):
            if unknown:
                raise ValueError("31 is not a valid Type")
            matrix = struct.pack("=9i", *right, 0, *down, 0, 0, 0, 1 << 30) if right else None
            return [SideData(matrix)] if matrix else []

    made = Frame()
    made.rotation = rotation
    return made


def test_all_eight_ways_to_hold_a_camera():
    picture = np.arange(6 * 3, dtype=np.uint8).reshape(2, 3, 3)
    for right in ((ONE, 0), (-ONE, 0), (0, ONE), (0, -ONE)):
        across = right[0] != 0
        for down in ((0, ONE), (0, -ONE)) if across else ((ONE, 0), (-ONE, 0)):
            upright = Orientations().of(frame(right, down)).upright(picture)
            assert upright.flags.c_contiguous
            height, width = upright.shape[:2]
            for y in range(2):
                for x in range(3):
                    to_x, to_y = ((right[axis] * x + down[axis] * y) // ONE for axis in (0, 1))
                    to_x += width - 1 if right[0] + down[0] < 0 else 0
                    to_y += height - 1 if right[1] + down[1] < 0 else 0
                    assert (upright[to_y, to_x] == picture[y, x]).all(), (right, down)


def test_an_orientation_holds_to_the_next_key_frame():
    orientations = Orientations()
    turned = orientations.of(frame((0, -ONE), (ONE, 0)))
    assert turned == Orientation(transposed=True, top_bottom=True)
    assert orientations.of(frame(key=False)) == turned
    assert orientations.of(frame()) == Orientation()


def test_side_data_of_a_kind_that_pyav_does_not_know_hides_no_turn():
    for degrees, expected in ((90, Orientation(transposed=True, top_bottom=True)), (0, Orientation())):
        assert Orientations().of(frame(unknown=True, rotation=degrees)) == expected, degrees
