"""Recipes that torchvision's presets and timm's `pretrained_cfg` say, and what is assumed where nothing does."""

from __future__ import annotations

import pytest
from kits.naming import naming

from shared.errors import ModelError, SettingsError
from shared.torch_network.recipes import from_preset, from_timm, settled, without_metadata
from shared.torch_network.vision import get_model_weights


def test_every_preset_of_torchvisions_classifiers_and_segmentation_is_a_recipe() -> None:
    for name, expected in {
        "resnet50": (224, "crop", 256),
        "inception_v3": (299, "crop", 342),
        "efficientnet_b0": (224, "crop", 256),
        "fcn_resnet50": (520, "letterbox", 0),
    }.items():
        recipe = from_preset(next(iter(get_model_weights(name))).transforms())
        with naming(name):
            assert (recipe.width, recipe.fit, recipe.resize) == expected
            assert recipe.height == recipe.width


def test_what_timm_says_is_taken() -> None:
    config = {
        "input_size": (3, 256, 320),
        "mean": (0.5, 0.4, 0.3),
        "std": (0.2, 0.2, 0.2),
        "interpolation": "bilinear",
    }
    cases = {
        (): ("crop", 292, 114),
        (("crop_pct", 0.95),): ("crop", 269, 114),
        (("crop_pct", 1.0), ("crop_mode", "squash")): ("stretch", 0, 114),
        (("crop_pct", 1.0), ("crop_mode", "border")): ("letterbox", 0, 102),
    }
    for more, (fit, resize, pad) in cases.items():
        recipe, notes = from_timm({**config, **dict(more)}, "timm:net")
        with naming(more):
            assert (recipe.fit, recipe.resize, recipe.pad, notes) == (fit, resize, pad, ())
            assert (recipe.tensor_shape, recipe.mean, recipe.std) == (
                (3, 256, 320),
                (0.5, 0.4, 0.3),
                (0.2,) * 3,
            )
            assert recipe.interpolation == "bilinear"


def test_what_cannot_be_said_of_it_is_noted() -> None:
    for change, note in {
        ("crop_mode", "squash"): "crop_pct 0.875 with crop_mode 'squash' is taken as 1",
        ("crop_mode", "corner"): "crop_mode 'corner' is taken as 'center'",
        ("interpolation", "random"): "interpolation 'random' is taken as bilinear",
    }.items():
        with naming(change):
            assert note in "; ".join(from_timm(dict([change]), "timm:net")[1])


def test_networks_of_one_channel_are_given_grey_pictures_and_others_refused() -> None:
    recipe, _ = from_timm({"input_size": (1, 28, 28), "mean": (0.5,), "std": (0.25,)}, "timm:net")
    assert (recipe.tensor_shape, recipe.channels, recipe.mean) == ((1, 28, 28), "GRAY", (0.5,) * 3)
    with pytest.raises(ModelError, match=r"^timm:net: its pictures have 6 channels; accepted: 3, or 1$"):
        from_timm({"input_size": (6, 28, 28)}, "timm:net")


def test_only_what_was_assumed_is_noted() -> None:
    assert "224x224, ImageNet's mean and deviation, the middle of the picture" in without_metadata(None)[1][0]
    recipe, (note,) = without_metadata("size=64,fit=letterbox")
    assert recipe.tensor_shape == (3, 64, 64)
    assert note.startswith("the recipe is assumed: ImageNet's mean and deviation; --recipe")
    assert without_metadata("size=64,fit=letterbox,scale=1")[1] == ()


def test_changes_that_cannot_be_understood_are_an_error_of_the_settings() -> None:
    base, _ = without_metadata(None)
    assert settled(base, None) is base
    assert settled(base, "channels=bgr").channels == "BGR"
    with pytest.raises(SettingsError, match="recipe 'sise=3'"):
        settled(base, "sise=3")
