"""What the network may see: masks, zone and crop, whatever the picture's size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kits.edge import settings_of

from edge.cameras.file import read_cameras
from edge.cameras.settings import CameraSettings, inherited
from edge.cameras.shapes import part_of
from edge.cameras.view import View
from shared.errors import StartupError

LEFT_HALF = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))


def view(**shapes):
    return View(CameraSettings.model_validate(inherited(settings_of()) | shapes))


def white(height=40, width=60):
    return np.full((height, width, 3), 255, np.uint8)


def test_a_camera_without_shapes_is_seen_as_it_is():
    (own,) = read_cameras(settings_of())
    picture = white()
    seen, part = View(own)(picture)
    assert seen is picture, "and not copied"
    assert part is None


def test_a_mask_is_black_and_the_sources_own_picture_stays():
    picture = white()
    seen, part = view(masks=(LEFT_HALF,))(picture)
    assert part is None
    assert picture.all()
    assert not seen[:, :31].any()
    assert seen[:, 31:].all()


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=6),
    st.integers(2, 50),
    st.integers(2, 50),
)
def test_a_mask_covers_its_corners_in_a_picture_of_any_size(corners, height, width):
    seen, _ = view(masks=(tuple(corners),))(white(height, width))
    for x, y in corners:
        row, column = min(int(y * height), height - 1), min(int(x * width), width - 1)
        assert not seen[row, column].any(), (x, y)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=3),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=20, max_size=20),
    st.integers(2, 50),
    st.integers(2, 50),
)
def test_a_mask_covers_whatever_lies_in_it(corners, places, height, width):
    seen, _ = view(masks=(tuple(corners),))(white(height, width))
    (ax, ay), (bx, by), (cx, cy) = corners
    for first, second in places:
        b, c = sorted((first, second))
        x, y = (p * b + q * (c - b) + r * (1 - c) for p, q, r in ((ax, bx, cx), (ay, by, cy)))
        row, column = min(int(y * height), height - 1), min(int(x * width), width - 1)
        # On the very border of two pixels, arithmetic is a matter of the last digit.
        if min(abs(x * width - round(x * width)), abs(y * height - round(y * height))) > 1e-6:
            assert not seen[row, column].any(), (x, y)


def test_what_the_sides_of_a_mask_go_around_is_hidden_though_they_cross():
    star = ((0.5, 0.0), (0.8, 1.0), (0.0, 0.38), (1.0, 0.38), (0.2, 1.0))
    seen, _ = view(masks=(star,))(white(100, 100))
    assert not seen[50, 50].any(), "its middle, which they go around twice"
    assert seen[2, 2].all()


def test_a_camera_that_would_see_nothing_is_refused():
    all_of_it = ((0, 0), (1, 0), (1, 1), (0, 1))
    for shapes in (
        {"masks": (all_of_it,)},
        {"crop": (0, 0, 0.4, 1), "masks": (LEFT_HALF,)},
        {"crop": (0.6, 0, 1, 1), "zone": LEFT_HALF},
    ):
        with pytest.raises(StartupError, match="leave nothing of the picture"):
            view(**shapes).refuse_blind()
    for shapes in ({}, {"masks": (LEFT_HALF,)}, {"crop": (0.4, 0, 1, 1), "zone": LEFT_HALF}):
        view(**shapes).refuse_blind()


def test_pixels_are_those_of_the_stated_size_whatever_size_comes():
    mask = ((0, 0), (30, 0), (30, 40), (0, 40))
    seen = view(masks=(mask,), size=(60, 40))
    for height, width in ((40, 60), (80, 120), (20, 30), (40, 60)):
        found, _ = seen(white(height, width))
        hidden = (found == 0).all(axis=2)
        assert hidden[:, : width // 2].all(), (height, width)
        assert not hidden[:, width // 2 + 1 :].any(), (height, width)


def test_a_crop_is_cut_off_and_says_where_it_lies():
    picture = np.arange(40 * 60 * 3, dtype=np.uint32).astype(np.uint8).reshape(40, 60, 3)
    for crop, size, (top, left, height, width) in (
        ((0.25, 0.5, 0.75, 1.0), None, (20, 15, 20, 30)),
        ((15, 20, 45, 40), (60, 40), (20, 15, 20, 30)),
        ((30, 40, 90, 80), (120, 80), (20, 15, 20, 30)),
        ((0.0, 0.0, 1e-9, 1e-9), None, (0, 0, 1, 1)),
        ((0.999, 0.999, 1.0, 1.0), None, (39, 59, 1, 1)),
    ):
        seen, part = view(crop=crop, **({"size": size} if size else {}))(picture)
        assert part == (top, left, height, width), crop
        assert (seen == picture[top : top + height, left : left + width]).all(), crop
        assert seen.flags.c_contiguous, crop


def test_outside_the_zone_is_black_and_cut_off():
    triangle = ((0.5, 0.25), (1.0, 0.75), (0.0, 0.75))
    seen, part = view(zone=triangle)(white(100, 100))
    assert part == (25, 0, 50, 100)
    assert not seen[0, :40].any()
    assert not seen[0, 60:].any()
    assert seen[0, 50].all()
    assert seen[-1, 1:-1].all()


def test_masks_hide_in_zone_and_crop_too():
    seen, part = view(zone=LEFT_HALF, masks=(LEFT_HALF,), crop=(0.25, 0, 1, 1))(white(40, 80))
    assert part == (0, 20, 40, 60)
    assert not seen.any()


@given(
    st.tuples(*[st.floats(0, 1)] * 4).filter(lambda c: c[0] < c[2] and c[1] < c[3]),
    st.integers(1, 5000),
    st.integers(1, 5000),
)
def test_a_part_lies_in_the_picture(crop, height, width):
    part = part_of(crop, height, width)
    assert part.height >= 1
    assert part.width >= 1
    assert 0 <= part.top <= part.top + part.height <= height
    assert 0 <= part.left <= part.left + part.width <= width


@pytest.mark.parametrize("grey", [0, 200])
def test_black_is_black(grey):
    seen, _ = view(masks=(LEFT_HALF,))(np.full((4, 4, 3), grey, np.uint8))
    assert (seen[:, 0] == 0).all()
    assert (seen[:, 3] == grey).all()
