"""Places in an answer are found in the whole picture, whatever part of it the network was given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cameras.part_recipe import of_part
from edge.cameras.shapes import Part
from shared.network.recipe import Recipe
from shared.tasks.detection.boxes import Box, Boxes

FITS = ("crop", "stretch", "letterbox")


def recipe(fit):
    return Recipe(32, 24, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), fit=fit)


@pytest.mark.parametrize("fit", FITS)
@given(
    part=st.builds(Part, st.integers(0, 50), st.integers(0, 50), st.integers(1, 200), st.integers(1, 200)),
    corners=st.tuples(*[st.floats(0, 24)] * 4),
)
def test_places_are_those_in_the_part_moved_by_where_it_lies(fit, part, corners):
    boxes, whole = np.array([corners]), (part.top + part.height + 7, part.left + part.width + 9)
    in_part = recipe(fit).to_source(boxes, (part.height, part.width))
    moved = in_part + np.array([part.left, part.top] * 2)
    np.testing.assert_allclose(of_part(recipe(fit), part).to_source(boxes, whole), moved)


def test_all_of_the_picture_is_the_recipe_itself():
    assert of_part(recipe("crop"), None) is recipe("crop") or of_part(recipe("crop"), None) == recipe("crop")


def test_boxes_say_the_size_of_the_whole_picture():
    answer = Boxes((Box(1, "cat", 0.5, (0.0, 0.0, 32.0, 24.0)),), (32, 24))
    placed = answer.in_picture(of_part(recipe("stretch"), Part(10, 20, 48, 64)), (100, 200))
    assert placed.size == (200, 100)
    assert placed.boxes[0].corners == (20.0, 10.0, 84.0, 58.0)
