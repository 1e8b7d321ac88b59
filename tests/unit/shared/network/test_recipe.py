"""What a recipe says of itself, which values it takes, and how it turns a picture into the network's input."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from kits.naming import naming
from PIL import Image

from shared.limits import MAX_PICTURE_PIXELS
from shared.network.recipe import Recipe, luma

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
NONE = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
LETTERBOX = Recipe(320, 240, *NONE, fit="letterbox", channels="BGR", pad=7)


# --- what it says of itself -------------------------------------------------------------------------------------------


def test_what_torchvision_can_say_has_the_text_that_fingerprints_hash() -> None:
    """Both sides compare hashes of it, whatever their versions: no letter may ever change."""
    imagenet = "mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)"
    half = "mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)"
    for recipe, text in (
        (Recipe(224, 224, *IMAGENET, resize=256), f"resize=256, crop=224, {imagenet}, interpolation='bilinear'"),
        (Recipe(224, 224, *IMAGENET, resize=232), f"resize=232, crop=224, {imagenet}, interpolation='bilinear'"),
        (Recipe(299, 299, *IMAGENET, resize=342), f"resize=342, crop=299, {imagenet}, interpolation='bilinear'"),
        (Recipe(224, 224, *IMAGENET, "bicubic"), f"resize=224, crop=224, {imagenet}, interpolation='bicubic'"),
        (Recipe(480, 480, *HALF, "bicubic"), f"resize=480, crop=480, {half}, interpolation='bicubic'"),
    ):  # fmt: skip
        assert recipe.canonical() == f"Preprocessing({text})"


def test_everything_else_has_a_text_with_all_that_counts() -> None:
    assert LETTERBOX.canonical() == (
        "Recipe(channels='BGR', fit='letterbox', height=240, interpolation='bilinear', mean=(0.0, 0.0, 0.0), pad=7, "
        "scale=255.0, std=(1.0, 1.0, 1.0), width=320)"
    )
    assert Recipe(320, 240, (0, 1, 2), (1, 1, 1), resize=260, scale=1).canonical() == (
        "Recipe(channels='RGB', fit='crop', height=240, interpolation='bilinear', mean=(0.0, 1.0, 2.0), resize=260, "
        "scale=1.0, std=(1.0, 1.0, 1.0), width=320)"
    )


def test_recipes_that_differ_in_anything_that_counts_have_different_texts() -> None:
    base: dict[str, Any] = {"width": 8, "height": 8, "mean": NONE[0], "std": NONE[1]}
    changes: list[dict[str, Any]] = [
        {},
        {"width": 9},
        {"height": 9},
        {"mean": (0, 0, 1)},
        {"std": (1, 1, 2)},
        {"interpolation": "box"},
        {"fit": "stretch"},
        {"fit": "letterbox"},
        {"fit": "letterbox", "pad": 0},
        {"resize": 9},
        {"scale": 1},
        {"channels": "BGR"},
        {"channels": "GRAY"},
    ]
    texts = [Recipe(**(base | change)).canonical() for change in changes]
    assert len(set(texts)) == len(texts)
    assert Recipe(**base, pad=0).canonical() == texts[0], "what is cropped has no padding"


def test_a_recipe_that_travelled_is_the_same() -> None:
    for recipe in (Recipe(224, 224, *IMAGENET, resize=256), LETTERBOX, Recipe(5, 9, *HALF, channels="GRAY")):
        with naming(recipe):
            assert Recipe.from_fields(json.loads(json.dumps(recipe.fields()))) == recipe
            assert Recipe.from_public(json.loads(json.dumps(recipe.public()))) == recipe


def test_old_clients_find_their_keys_where_they_can_follow_the_recipe() -> None:
    recipe = Recipe(224, 224, *IMAGENET, resize=256)
    old = {"resize": 256, "crop": 224, "mean": IMAGENET[0], "std": IMAGENET[1], "interpolation": "bilinear"}
    assert old.items() <= recipe.public().items()
    assert Recipe.from_public(old) == recipe
    assert "crop" not in LETTERBOX.public(), "an old client would resize wrongly, and must notice"


def test_a_recipe_is_told_in_one_line() -> None:
    assert (
        LETTERBOX.describe() == "320x240 BGR, letterbox with grey 7 (bilinear), (value / 255 - 0:0:0) / 1:1:1"
    )
    wide = Recipe(320, 240, *IMAGENET, "bicubic", resize=256)
    assert "scaled until it covers 341x256 and the middle of it" in wide.describe()
    assert Recipe(224, 224, *IMAGENET, "bicubic", resize=256).describe() == (
        "224x224 RGB, shorter side to 256 and the middle of it (bicubic), "
        "(value / 255 - 0.485:0.456:0.406) / 0.229:0.224:0.225"
    )


# --- which values it takes --------------------------------------------------------------------------------------------


def test_without_a_resize_the_picture_just_covers_the_size() -> None:
    assert Recipe(320, 240, *NONE).resize == 240
    assert Recipe(320, 240, *NONE, fit="stretch").resize == 0


def test_values_that_make_no_sense_are_refused_by_name() -> None:
    good = Recipe(8, 8, *HALF).fields()
    for change, hint in (
        ({"width": 0}, "width 0; accepted: 1 to 65535"),
        ({"height": -3}, "height -3"),
        ({"height": 8.0}, "height 8.0; accepted: a whole number"),
        ({"width": True}, "width True"),
        ({"width": 60_000, "height": 60_000}, f"60000x60000 pixels; accepted: at most {MAX_PICTURE_PIXELS}"),
        ({"mean": (0.5, 0.5)}, "mean .0.5, 0.5.; accepted: three numbers"),
        ({"mean": "abc"}, "mean 'abc'"),
        ({"std": (1, 1, 0)}, "no std may be 0"),
        ({"std": (1, 1, float("nan"))}, "std nan; accepted: a finite number"),
        ({"mean": (0, 0, float("inf"))}, "mean inf"),
        ({"mean": (0, 0, "1")}, "mean '1'; accepted: a number"),
        ({"scale": 0}, "scale is above 0"),
        ({"scale": float("inf")}, "scale inf"),
        (
            {"interpolation": "cubic"},
            "interpolation 'cubic'; accepted: bilinear, bicubic, nearest, lanczos, box",
        ),
        ({"fit": "cover"}, "fit 'cover'; accepted: crop, stretch, letterbox"),
        ({"channels": "rgb"}, "channels 'rgb'; accepted: RGB, BGR, GRAY"),
        ({"resize": 1 << 20}, "resize 1048576; accepted: 0 to 2364"),
        ({"resize": 9, "fit": "stretch"}, "only fit crop has a resize"),
        ({"pad": 256}, "pad 256; accepted: 0 to 255"),
        ({"pad": None}, "pad None"),
        ({"crop": 8}, "keys .*crop.*; accepted: width, height, mean"),
    ):
        with naming(change), pytest.raises((TypeError, ValueError), match=hint) as caught:
            Recipe.from_fields(good | change)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="accepted: width, height, mean"):
        Recipe.from_fields({key: value for key, value in good.items() if key != "pad"})


# --- the network's input ----------------------------------------------------------------------------------------------


def test_the_shapes_are_those_of_the_picture_and_of_the_tensor() -> None:
    for channels, depth in (("RGB", 3), ("BGR", 3), ("GRAY", 1)):
        recipe = Recipe(6, 4, *HALF, channels=channels)
        with naming(channels):
            assert recipe.picture_shape == (4, 6, 3)
            assert recipe.tensor_shape == (depth, 4, 6)
            tensor = recipe.normalise(np.zeros(recipe.picture_shape, np.uint8))
            assert (tensor.shape, tensor.dtype, tensor.flags.c_contiguous) == (
                (depth, 4, 6),
                np.float32,
                True,
            )


def test_a_mirrored_view_is_normalised_as_it_looks() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    for channels in ("RGB", "BGR", "GRAY"):
        recipe = Recipe(6, 5, *IMAGENET, channels=channels)
        mirrored = recipe.normalise(picture[:, ::-1])
        with naming(channels):
            np.testing.assert_array_equal(mirrored, recipe.normalise(picture)[:, :, ::-1])


def test_each_channel_has_its_own_mean_and_std_after_the_scale() -> None:
    picture = np.array([[[10, 20, 30]]], np.uint8)
    mean, std = (1.0, 2.0, 3.0), (2.0, 4.0, 8.0)
    for channels, scale, expected in (
        ("RGB", 1, [4.5, 4.5, 3.375]),
        ("BGR", 1, [14.5, 4.5, 0.875]),
        ("RGB", 10, [0, 0, 0]),
        ("BGR", 10, [1, 0, -0.25]),
    ):
        recipe = Recipe(1, 1, mean, std, channels=channels, scale=scale)
        with naming(channels, scale):
            assert recipe.normalise(picture).ravel().tolist() == expected


def test_a_network_of_one_channel_gets_the_luma() -> None:
    picture = np.random.default_rng(2).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(picture).convert("L"))
    np.testing.assert_array_equal(luma(picture), expected)
    tensor = Recipe(50, 40, (0.5, 9, 9), (0.25, 9, 9), channels="GRAY").normalise(picture)
    np.testing.assert_allclose(tensor[0], (expected / 255 - 0.5) / 0.25, atol=1e-6)
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    np.testing.assert_array_equal(luma(grey), grey[:, :, 0])


@pytest.mark.parametrize(("mean", "std"), [IMAGENET, HALF, NONE], ids=["imagenet", "half", "none"])
def test_every_value_of_every_channel_is_torchvisions_to_the_bit(mean: Any, std: Any) -> None:
    torch = pytest.importorskip("torch")
    ramp = np.arange(256, dtype=np.uint8)
    picture = np.stack([ramp, ramp[::-1], np.roll(ramp, 77)], axis=-1).reshape(16, 16, 3)
    found = Recipe(16, 16, mean, std).normalise(picture)
    # torchvision's convert_image_dtype and normalize
    tensor = torch.from_numpy(picture).permute(2, 0, 1).to(torch.float32).div(255)
    tensor.sub_(torch.tensor(mean)[:, None, None]).div_(torch.tensor(std)[:, None, None])
    np.testing.assert_array_equal(found.view(np.uint32), tensor.contiguous().numpy().view(np.uint32))
