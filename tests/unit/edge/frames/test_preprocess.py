"""From a camera's frame to the picture the weights were made for; torchvision on a PIL picture is the oracle."""

from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from kits.edge import resnet18, tiny_model
from PIL import Image

from edge.frames.preprocess import Preprocess
from shared.network.model import load_model
from shared.network.recipe import Recipe
from shared.network.resize import fit_picture
from shared.network.vision import InterpolationMode, get_model_weights, torchvision, transforms

DATA = Path(__file__).parents[5] / "shared"
HALF = (0.5, 0.5, 0.5)
SIZES_TO_THE_BIT = [
    (480, 640),
    (641, 359),
    (1080, 1920),
    (256, 256),
    (30, 31),
    (225, 224),
    (1, 1),
    (1, 700),
    (2000, 3),
]
SIZES = [
    (480, 640),
    (640, 480),
    (359, 641),
    (256, 256),
    (100, 80),
    (30, 31),
    (224, 224),
    (1, 9),
    (9, 1),
    (1, 1),
]


def smooth(height, width):
    """A BGR picture with structure at every scale, so that a shift of a pixel would show."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    waves = [128 + 100 * np.sin(rows / a + columns / b) for a, b in ((3, 11), (17, 5), (29, 41))]
    return np.stack(waves, axis=-1).astype(np.uint8)


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def by_torchvision(preset, frame):
    """The preset's steps on the same picture as PIL: (crop, crop, 3) uint8 RGB before, and the tensor after all."""
    picture = Image.fromarray(np.ascontiguousarray(frame[:, :, ::-1]))
    resized = transforms.resize(
        picture, preset.resize_size, interpolation=preset.interpolation, antialias=preset.antialias
    )
    return np.asarray(transforms.center_crop(resized, preset.crop_size)), preset(picture)


def preset_of(recipe):
    return torchvision.transforms._presets.ImageClassification(
        crop_size=recipe.crop,
        resize_size=recipe.resize,
        mean=recipe.mean,
        std=recipe.std,
        interpolation=InterpolationMode(recipe.interpolation),
    )


def test_equals_torchvision_on_a_pil_picture():
    for case in itertools.product(SIZES, ("bilinear", "bicubic"), (smooth, noise)):
        (height, width), interpolation, draw = case
        recipe = Recipe(256, 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), interpolation)
        frame = draw(height, width)
        picture = Preprocess(recipe)(frame)
        expected, expected_tensor = by_torchvision(preset_of(recipe), frame)
        assert picture.shape == expected.shape == recipe.picture_shape, case
        assert picture.dtype == np.uint8
        assert picture.flags.c_contiguous
        difference = np.abs(picture.astype(int) - expected)
        enlarged = (
            interpolation == "bicubic" and min(height, width) < 50
        )  # then single values are two levels off
        assert difference.max() <= 1 + enlarged, case
        assert difference.mean() < 0.02, case
        tensor = recipe.normalise(picture)
        assert np.abs(tensor - expected_tensor.numpy()).mean() < 4e-4, case


def test_crops_as_torchvision_does_where_the_halves_are_odd():
    """A crop larger than the picture is padded with black."""
    for case in itertools.product([(8, 8), (9, 8), (8, 7), (6, 11), (5, 8)], [(13, 20), (20, 13), (3, 4)]):
        (resize, crop), (height, width) = case
        recipe = Recipe(resize, crop, HALF, HALF, "bilinear")
        expected, _ = by_torchvision(preset_of(recipe), noise(height, width))
        picture = Preprocess(recipe)(noise(height, width))
        assert picture.shape == (crop, crop, 3), case
        assert np.abs(picture.astype(int) - expected).max() <= 1, case


def test_the_recipe_of_the_weights_is_followed():
    preset = get_model_weights("resnet18")["IMAGENET1K_V1"].transforms()
    expected, _ = by_torchvision(preset, smooth(300, 400))
    picture = Preprocess(resnet18().recipe)(smooth(300, 400))
    assert np.abs(picture.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("channel", "colour"), [(0, 2), (1, 1), (2, 0)])
def test_bgr_becomes_rgb(channel, colour):
    """A red frame (BGR 0, 0, 255) stays red (RGB 255, 0, 0)."""
    frame = np.zeros((20, 30, 3), np.uint8)
    frame[:, :, channel] = 255
    picture = Preprocess(tiny_model().recipe)(frame)
    assert (picture[:, :, colour] == 255).all()
    assert picture.sum() == 255 * 64


def test_grey_is_three_equal_channels():
    frame = noise(20, 30)
    picture = Preprocess(tiny_model().recipe, grayscale=True)(frame)
    coloured = Preprocess(tiny_model().recipe)(frame)
    assert picture.shape == (8, 8, 3)
    assert picture.flags.c_contiguous
    for channel in (1, 2):
        assert (picture[:, :, channel] == picture[:, :, 0]).all()
    luma = coloured @ np.array([0.299, 0.587, 0.114])
    assert np.abs(picture[:, :, 0] - luma).max() <= 1, "weighted as red, green, blue"
    assert picture.std() > 5


def test_edge_and_cloud_give_the_same_picture_to_the_bit():
    """The edge resizes BGR and turns the colours round; the cloud gets RGB, read-only, and resizes that."""
    for case in itertools.product(SIZES_TO_THE_BIT, ("bilinear", "bicubic"), (smooth, noise)):
        (height, width), interpolation, draw = case
        recipe = Recipe(256, 224, HALF, HALF, interpolation)
        frame = draw(height, width)
        preprocess = Preprocess(recipe, source_size=True)
        there = preprocess.outgoing(frame, preprocess(frame))
        assert (there == frame[:, :, ::-1]).all(), case
        there.setflags(write=False)
        cropped = fit_picture(there, recipe)
        assert cropped.dtype == np.uint8
        np.testing.assert_array_equal(cropped, preprocess(frame), err_msg=str(case))
        np.testing.assert_array_equal(
            recipe.normalise(cropped), recipe.normalise(preprocess(frame)), err_msg=str(case)
        )


def test_at_the_networks_size_what_travels_is_what_the_network_sees():
    frame = noise(20, 30)
    preprocess = Preprocess(tiny_model().recipe)
    picture = preprocess(frame)
    assert preprocess.outgoing(frame, picture) is picture


def test_a_grey_picture_is_grey_before_it_travels():
    preprocess = Preprocess(tiny_model().recipe, grayscale=True, source_size=True)
    frame = noise(20, 30)
    there = preprocess.outgoing(frame, preprocess(frame))
    assert there.shape == (20, 30, 3)
    assert (there == there[:, :, :1]).all()
    assert np.abs(fit_picture(there, tiny_model().recipe).astype(int) - preprocess(frame)).max() <= 1


def test_the_frame_is_left_as_it_is():
    frame = noise(8, 8)
    before = frame.copy()
    for grayscale in (False, True):
        picture = Preprocess(tiny_model().recipe, grayscale=grayscale)(frame)
        picture[:] = 0
        assert (frame == before).all()


def test_the_real_network_sees_the_same_in_real_photographs():
    weights, photographs = DATA / "weights" / "resnet50.pth", sorted((DATA / "images").glob("*.jpg"))[:5]
    if not weights.is_file() or len(photographs) < 5:
        pytest.skip("no weights or photographs in ../shared")
    model = load_model("resnet50", str(weights))
    preset = preset_of(model.recipe)
    preprocess = Preprocess(model.recipe)
    tensors = []
    for path in photographs:
        tensors.append(torch.from_numpy(model.recipe.normalise(preprocess(cv2.imread(str(path))))))
        with Image.open(path) as picture:
            tensors.append(preset(picture.convert("RGB")))
    with torch.inference_mode():
        logits = model.network(torch.stack(tensors))
    ours, theirs = logits[0::2], logits[1::2]
    assert ours.argmax(1).tolist() == theirs.argmax(1).tolist()
    assert (ours - theirs).abs().max() < 0.1 * theirs.abs().max()


@pytest.mark.parametrize("shape", [(1, 65_000), (65_000, 1), (30, 20_000)])
def test_a_picture_far_longer_than_wide_is_cut_before_it_is_resized(shape):
    # Resized whole, a row of 65,000 pixels would be 10 GB; nothing of that but the middle is looked at.
    frame = np.zeros((*shape, 3), np.uint8)
    middle = tuple(slice(max(0, side // 2 - 8), side // 2 + 8) for side in shape)
    frame[middle] = 200
    tracemalloc.start()
    picture = Preprocess(resnet18().recipe)(frame)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert picture.shape == (224, 224, 3)
    assert picture[112, 112].tolist() == [200, 200, 200]
    assert peak < 10_000_000
