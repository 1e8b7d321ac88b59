"""Normalising by table is torchvision's, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shared.network.recipe import Recipe
from shared.network.vision import transforms

RECIPES = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


def recipe_of(mean: tuple[float, ...], std: tuple[float, ...]) -> Recipe:
    return Recipe(resize=256, crop=224, mean=mean, std=std, interpolation="bilinear")


def by_torchvision(picture: np.ndarray, mean: tuple[float, ...], std: tuple[float, ...]) -> np.ndarray:
    tensor = torch.from_numpy(picture.copy()).permute(2, 0, 1)
    converted = transforms.convert_image_dtype(tensor, torch.float32)
    return transforms.normalize(converted, mean=list(mean), std=list(std)).numpy()


@pytest.mark.parametrize(("mean", "std"), RECIPES.values(), ids=RECIPES.keys())
def test_every_value_of_every_channel_is_torchvisions_to_the_bit(
    mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    ramp = np.arange(256, dtype=np.uint8)
    picture = np.stack([ramp, ramp[::-1], np.roll(ramp, 77)], axis=-1).reshape(16, 16, 3)
    result = recipe_of(mean, std).normalise(picture)
    expected = by_torchvision(picture, mean, std)
    np.testing.assert_array_equal(result.view(np.uint32), expected.view(np.uint32))


@pytest.mark.parametrize("size", [(1, 1), (7, 31), (224, 224)], ids=str)
def test_a_picture_of_height_width_3_becomes_3_height_width(size: tuple[int, int]) -> None:
    mean, std = RECIPES["imagenet"]
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    result = recipe_of(mean, std).normalise(picture)
    assert (result.shape, result.dtype, result.flags.c_contiguous) == ((3, *size), np.float32, True)
    np.testing.assert_array_equal(result, by_torchvision(picture, mean, std))


def test_a_mirrored_view_is_normalised_as_it_looks() -> None:
    mean, std = RECIPES["imagenet"]
    picture = np.random.default_rng(1).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    recipe = recipe_of(mean, std)
    np.testing.assert_array_equal(recipe.normalise(picture[:, ::-1]), recipe.normalise(picture)[:, :, ::-1])


def test_the_shapes_are_those_of_the_picture_and_of_the_tensor() -> None:
    recipe = recipe_of(*RECIPES["imagenet"])
    assert recipe.picture_shape == (224, 224, 3)
    assert recipe.tensor_shape == (3, 224, 224)
    assert recipe.normalise(np.zeros(recipe.picture_shape, np.uint8)).shape == recipe.tensor_shape
