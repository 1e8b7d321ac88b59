"""From a camera's frame to the picture that the network sees, and to the one that travels."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest
from kits.naming import naming

from edge.frames.preprocess import Preprocess
from shared.network.recipe import Recipe
from shared.network.recipes.resize import fit_picture

HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
TINY = Recipe(8, 8, *HALF)
RECIPES = (
    TINY,
    Recipe(224, 224, *HALF, "bicubic", resize=256),
    Recipe(32, 24, *HALF, fit="letterbox", channels="BGR"),
    Recipe(24, 32, *HALF, fit="stretch", channels="GRAY"),
)
SIZES = [(480, 640), (641, 359), (256, 256), (30, 31), (225, 224), (1, 1), (1, 700), (2000, 3)]


def noise(height, width):
    """A BGR picture."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("channel", "colour"), [(0, 2), (1, 1), (2, 0)])
def test_bgr_becomes_rgb(channel, colour):
    """A red frame (BGR 0, 0, 255) stays red (RGB 255, 0, 0)."""
    frame = np.zeros((20, 30, 3), np.uint8)
    frame[:, :, channel] = 255
    picture = Preprocess(TINY)(frame)
    assert (picture[:, :, colour] == 255).all()
    assert picture.sum() == 255 * 64


def test_a_network_that_wants_bgr_gets_the_cameras_order():
    """The picture that travels is RGB for every network; only the tensor follows the recipe."""
    frame = noise(24, 32)
    recipe = Recipe(32, 24, (0, 0, 0), (1, 1, 1), scale=1, channels="BGR")
    picture = Preprocess(recipe)(frame)
    np.testing.assert_array_equal(picture, frame[:, :, ::-1])
    np.testing.assert_array_equal(recipe.normalise(picture), frame.transpose(2, 0, 1))


def test_a_picture_has_the_shape_that_the_recipe_says():
    for recipe, size in itertools.product(RECIPES, SIZES):
        picture = Preprocess(recipe)(noise(*size))
        with naming(recipe, size):
            assert (picture.shape, picture.dtype) == (recipe.picture_shape, np.uint8)
            assert picture.flags.c_contiguous
            assert recipe.normalise(picture).shape == recipe.tensor_shape


def test_grey_is_three_equal_channels():
    frame = noise(20, 30)
    picture = Preprocess(TINY, grayscale=True)(frame)
    coloured = Preprocess(TINY)(frame)
    assert picture.shape == (8, 8, 3)
    assert picture.flags.c_contiguous
    for channel in (1, 2):
        assert (picture[:, :, channel] == picture[:, :, 0]).all()
    luma = coloured @ np.array([0.299, 0.587, 0.114])
    assert np.abs(picture[:, :, 0] - luma).max() <= 1, "weighted as red, green, blue"
    assert picture.std() > 5


def test_edge_and_cloud_give_the_same_picture_to_the_bit():
    """The edge fits BGR and turns the colours round; the cloud gets RGB, read-only, and fits that."""
    for recipe, size in itertools.product(RECIPES, SIZES):
        frame = noise(*size)
        preprocess = Preprocess(recipe, source_size=True)
        there = preprocess.outgoing(frame, preprocess(frame))
        with naming(recipe, size):
            assert (there == frame[:, :, ::-1]).all()
            there.setflags(write=False)
            np.testing.assert_array_equal(fit_picture(there, recipe), preprocess(frame))


def test_at_the_networks_size_what_travels_is_what_the_network_sees():
    frame = noise(20, 30)
    preprocess = Preprocess(TINY)
    picture = preprocess(frame)
    assert preprocess.outgoing(frame, picture) is picture


def test_a_grey_picture_is_grey_before_it_travels():
    preprocess = Preprocess(TINY, grayscale=True, source_size=True)
    frame = noise(20, 30)
    there = preprocess.outgoing(frame, preprocess(frame))
    assert there.shape == (20, 30, 3)
    assert (there == there[:, :, :1]).all()
    assert np.abs(fit_picture(there, TINY).astype(int) - preprocess(frame)).max() <= 1


def test_the_frame_is_left_as_it_is():
    frame = noise(8, 8)
    before = frame.copy()
    for grayscale in (False, True):
        picture = Preprocess(TINY, grayscale=grayscale)(frame)
        picture[:] = 0
        assert (frame == before).all()


@pytest.mark.slow
def test_torch_is_not_needed():
    code = "import sys, edge.frames.preprocess; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
