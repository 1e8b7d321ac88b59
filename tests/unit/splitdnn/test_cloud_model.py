"""What a cloud says it runs, whatever its version and its network's recipe."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from kits.naming import naming

from shared.codecs import decode_frame, make_codec
from shared.network.recipe import Recipe
from shared.network.recipes.resize import fit_picture
from splitdnn.client.cloud_model import CloudModel, parse_cloud_model
from splitdnn.client.pictures import picture_frame

HALF = ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
RECIPES = (
    Recipe(8, 8, *HALF, "bicubic", resize=9),
    Recipe(16, 8, *HALF, fit="letterbox", channels="BGR", pad=3),
    Recipe(8, 12, *HALF, "nearest", fit="stretch", channels="GRAY", scale=1),
)
FIELDS = {
    "model": "mynet:build",
    "weights": "file:mynet.pth",
    "fingerprint": "0001020304050607",
    "split_points": {"input": [3, 8, 8], "output": [7]},
    "codecs": {"jpeg": 66},
    "limits": {"max_picture_pixels": 5_592_405},
}


def model_of(recipe: Recipe, **more: object) -> CloudModel:
    said = json.loads(json.dumps(FIELDS | {"preprocessing": recipe.public()} | more))
    return parse_cloud_model(said)


def test_recipes_of_all_kinds_arrive_as_they_are() -> None:
    for recipe in RECIPES:
        with naming(recipe):
            assert model_of(recipe).recipe == recipe


def test_a_cloud_before_recipes_were_settings_is_understood() -> None:
    old = {"resize": 9, "crop": 8, "mean": HALF[0], "std": HALF[1], "interpolation": "bicubic"}
    found = parse_cloud_model(FIELDS | {"preprocessing": old})
    assert (found.recipe, found.task) == (RECIPES[0], "classify")


def test_the_task_is_what_the_cloud_says() -> None:
    assert model_of(RECIPES[0], task="raw").task == "raw"


def test_a_recipe_with_keys_of_another_version_is_refused() -> None:
    """To ignore one might be to resize wrongly."""
    for change in ({"flip": True}, {"width": "8"}, {"fit": "tile"}):
        said = FIELDS | {"preprocessing": RECIPES[1].public() | change}
        with naming(change), pytest.raises((TypeError, ValueError)):
            parse_cloud_model(said)


def test_no_name_acts_on_the_terminal_where_a_program_prints_it() -> None:
    for name in ("a\x1b[2J", "a\nb", "a\u202eb", "\ud800", "x" * 1001, 7, None, ["a"]):
        for change in (
            {"model": name},
            {"weights": name},
            {"task": name},
            {"codecs": [name]},
            {"split_points": {str(name): [7]}} if isinstance(name, str) else {"codecs": [name]},
        ):
            with naming(change), pytest.raises((TypeError, ValueError)):
                model_of(RECIPES[0], **change)


def test_pictures_are_fitted_as_the_clouds_recipe_says() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    for recipe in RECIPES:
        for source_size in (False, True):
            frame = picture_frame(
                picture,
                model_of(recipe),
                make_codec("png"),
                source_size=source_size,
                frame_id=1,
                deadline_ms=0,
            )
            expected = picture if source_size else fit_picture(picture, recipe)
            with naming(recipe, source_size):
                np.testing.assert_array_equal(*decode_frame(frame), expected)


@pytest.mark.slow
def test_a_client_needs_no_torch() -> None:
    code = "import sys, splitdnn.client, splitdnn.client.pictures; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
