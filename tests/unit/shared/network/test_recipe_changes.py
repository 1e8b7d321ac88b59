"""A recipe's changes as a setting writes them."""

from __future__ import annotations

import pytest
from kits.naming import naming

from shared.errors import SettingsError
from shared.network.recipe import Recipe, parse_recipe

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BASE = Recipe(224, 224, MEAN, STD, resize=256)


def test_what_is_written_changes_and_the_rest_stays() -> None:
    everything = (
        "size=320x240,fit=letterbox,mean=0:0:0,std=1:1:1,scale=1,channels=BGR,interpolation=bicubic,pad=9"
    )
    for text, expected in (
        (everything, Recipe(320, 240, (0, 0, 0), (1, 1, 1), "bicubic", "letterbox", 0, 1, "BGR", 9)),
        ("fit=stretch", Recipe(224, 224, MEAN, STD, fit="stretch")),
        ("mean=0, std=1", Recipe(224, 224, (0, 0, 0), (1, 1, 1), resize=256)),
        ("mean=-1:0.5:2e1", Recipe(224, 224, (-1, 0.5, 20), STD, resize=256)),
        ("channels=gray", Recipe(224, 224, MEAN, STD, resize=256, channels="GRAY")),
        ("resize=300", Recipe(224, 224, MEAN, STD, resize=300)),
        ("size=320X200,resize=240", Recipe(320, 200, MEAN, STD, resize=240)),
    ):
        with naming(text):
            assert parse_recipe(text, BASE) == expected


def test_a_resize_that_is_not_given_follows_the_size() -> None:
    for text, size in (("size=448", 512), ("size=112x448", 128), ("size=14", 16), ("fit=crop", 256)):
        with naming(text):
            assert parse_recipe(text, BASE).resize == size
    letterbox = Recipe(320, 240, MEAN, STD, fit="letterbox")
    assert parse_recipe("fit=crop", letterbox) == Recipe(320, 240, MEAN, STD)


def test_what_is_not_understood_is_named_with_what_is_accepted() -> None:
    for text, hint in (
        ("", "recipe '': ''; accepted, each once: size=…, fit=…"),
        ("224", "'224'; accepted, each once"),
        ("colour=red", "'colour=red'; accepted, each once: size=…, .*std=…"),
        ("size=224,size=225", "'size=225'; accepted, each once"),
        ("size=big", "'size=big'; accepted: size=320x240 .width x height. or size=224"),
        ("size=1x2x3", "accepted: size=320x240"),
        ("size=0", "width 0; accepted: 1 to 65535"),
        ("mean=0:0", "mean .0.0, 0.0.; accepted: three numbers"),
        ("mean=", "'mean='; accepted: mean=0.485:0.456:0.406 or mean=0"),
        ("std=0", "no std may be 0"),
        ("scale=nan", "scale nan; accepted: a finite number"),
        ("scale=many", "'scale=many'; accepted: scale=255"),
        ("channels=CMYK", "channels 'CMYK'; accepted: RGB, BGR, GRAY"),
        ("fit=stretch,resize=256", "only fit crop has a resize"),
        ("resize=1e3", "accepted: resize=256"),
        ("interpolation=", "interpolation ''; accepted: bilinear"),
        ("size=" + "9" * 5000, "accepted: size=320x240"),
    ):
        with naming(text[:80]), pytest.raises(SettingsError, match=hint) as caught:
            parse_recipe(text, BASE)
        assert "\n" not in str(caught.value)
