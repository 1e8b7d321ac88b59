"""Where a camera's picture comes to lie in the network's input, and how boxes come back."""

from __future__ import annotations

import numpy as np
from kits.naming import naming

from shared.limits import MAX_ASPECT
from shared.network.recipe import Recipe
from shared.network.recipes.placement import Placement
from shared.network.recipes.resize import fit_picture

NONE = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def recipe(width: int, height: int, fit: str, resize: int = 0) -> Recipe:
    return Recipe(width, height, *NONE, fit=fit, resize=resize)


def test_each_fit_places_pictures_as_it_says() -> None:
    """(height, width) of the picture; then top, left, height, width, rows, columns, first row and column."""
    for wanted, source, expected in (
        # torchvision: the longer side is rounded down, the middle to even
        (recipe(224, 224, "crop", 256), (480, 640), (0, 0, 480, 640, 256, 341, 16, 58)),
        (recipe(224, 224, "crop", 256), (640, 481), (0, 0, 640, 481, 340, 256, 58, 16)),
        (recipe(8, 8, "crop", 5), (10, 20), (0, 0, 10, 20, 5, 10, -1, 1)),
        # not square: the picture covers a box of the network's aspect
        (recipe(320, 240, "crop"), (480, 640), (0, 0, 480, 640, 240, 320, 0, 0)),
        (recipe(320, 240, "crop"), (640, 480), (0, 0, 640, 480, 426, 320, 93, 0)),
        (recipe(320, 240, "crop", 264), (1080, 1920), (0, 0, 1080, 1920, 264, 469, 12, 74)),
        (recipe(320, 240, "stretch"), (640, 480), (0, 0, 640, 480, 240, 320, 0, 0)),
        # YOLO: sides to the nearest pixel, halves to even; the odd pixel of padding after the picture
        (recipe(640, 640, "letterbox"), (1080, 1920), (0, 0, 1080, 1920, 360, 640, -140, 0)),
        (recipe(640, 640, "letterbox"), (427, 640), (0, 0, 427, 640, 427, 640, -106, 0)),
        (recipe(10, 10, "letterbox"), (20, 13), (0, 0, 20, 13, 10, 6, 0, -2)),
        (recipe(10, 10, "letterbox"), (4, 5), (0, 0, 4, 5, 8, 10, -1, 0)),
        # of what is far longer than wide, the middle
        (recipe(10, 10, "letterbox"), (1, 100), (0, 42, 1, 16, 1, 10, -4, 0)),
        (recipe(8, 8, "crop"), (1000, 2), (484, 0, 32, 2, 128, 8, 60, 0)),
        (recipe(8, 4, "stretch"), (1, 100), (0, 42, 1, 16, 4, 8, 0, 0)),
    ):
        with naming(wanted, source):
            assert wanted.placement(*source) == Placement(*expected)


def test_any_picture_covers_the_size_or_lies_within_it() -> None:
    rng = np.random.default_rng(0)
    for _ in range(2000):
        height, width, rows, columns = (int(side) for side in rng.integers(1, 2000, 4))
        with naming(height, width, rows, columns):
            place = recipe(columns, rows, "crop").placement(height, width)
            assert 0 <= place.first_row <= place.rows - rows
            assert 0 <= place.first_column <= place.columns - columns
            assert rows == place.rows or columns == place.columns
            assert max(place.height, place.width) <= MAX_ASPECT * min(place.height, place.width)
            inside = recipe(columns, rows, "letterbox").placement(height, width)
            assert 1 <= inside.rows <= rows
            assert 1 <= inside.columns <= columns
            assert rows == inside.rows or columns == inside.columns
            assert 0 <= rows - inside.rows + 2 * inside.first_row <= 1


def test_boxes_come_back_to_where_they_were_drawn() -> None:
    """A rectangle is drawn, the picture fitted, the rectangle found in it, and its corners brought back."""
    for source, drawn in (
        ((480, 640), (200, 120, 440, 360)),
        ((640, 480), (120, 200, 360, 440)),
        ((333, 501), (210, 101, 290, 230)),
        ((100, 90), (31, 33, 62, 70)),
        ((90, 1500), (730, 20, 770, 80)),
    ):
        x0, y0, x1, y1 = drawn
        picture = np.zeros((*source, 3), np.uint8)
        picture[y0:y1, x0:x1] = 255
        for wanted in (
            recipe(224, 224, "crop", 256),
            recipe(320, 240, "crop"),
            recipe(300, 300, "crop", 200),
            recipe(320, 240, "stretch"),
            Recipe(320, 256, *NONE, fit="letterbox", pad=0),
        ):
            with naming(source, wanted):
                found = fit_picture(picture, wanted)[:, :, 0] > 127
                rows, columns = np.flatnonzero(found.any(1)), np.flatnonzero(found.any(0))
                box = np.array([[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]])
                place = wanted.placement(*source)
                pixel = max(place.height / place.rows, place.width / place.columns)  # of the network's input
                back = wanted.to_source(box, source)
                assert back.shape == (1, 4)
                assert np.abs(back[0] - drawn).max() <= pixel


def test_boxes_are_clipped_to_the_picture() -> None:
    wanted = recipe(100, 100, "letterbox")
    boxes = np.array([[-5, 0, 105, 100], [10, 30, 20, 40], [0, 0, 10, 10]], np.float32)
    expected = [[0, 0, 200, 100], [20, 10, 40, 30], [0, 0, 20, 0]]
    np.testing.assert_allclose(wanted.to_source(boxes, (100, 200)), expected)
    assert wanted.to_source(np.zeros((0, 4), np.float32), (100, 200)).shape == (0, 4)
    far = recipe(10, 10, "stretch").to_source(np.array([[0, 0, 10, 10]]), (1, 100))
    np.testing.assert_allclose(far, [[42, 0, 58, 1]])  # the middle is all that the network saw
