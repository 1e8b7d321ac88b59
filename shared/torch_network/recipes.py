"""The recipe of a network, as far as something says it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from shared.errors import ModelError
from shared.network.recipe import INTERPOLATIONS, Recipe, parse_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SIZE = 224


def settled(base: Recipe, changes: str | None) -> Recipe:
    """`base` with what the user changes. Raises SettingsError."""
    return parse_recipe(changes, base) if changes else base


def from_preset(preset: Any) -> Recipe:
    """The recipe of one of torchvision's presets; one that crops nothing keeps the whole picture by a letterbox."""
    common = {
        "mean": tuple(preset.mean),
        "std": tuple(preset.std),
        "interpolation": preset.interpolation.value,
    }
    resize = preset.resize_size[0]
    crop = getattr(preset, "crop_size", None)
    if crop is None:
        return Recipe(resize, resize, fit="letterbox", **common)
    return Recipe(crop[0], crop[0], resize=resize, **common)


def without_metadata(changes: str | None) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe of a network of which nothing is known, and a note of what was assumed."""
    base = Recipe(_SIZE, _SIZE, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    given = {item.partition("=")[0].strip() for item in (changes or "").split(",")}
    assumed = [
        said
        for keys, said in (
            ({"size"}, f"{_SIZE}x{_SIZE}"),
            ({"mean", "std", "scale"}, "ImageNet's mean and deviation"),
            ({"fit", "resize"}, "the middle of the picture"),
        )
        if not keys & given
    ]
    note = f"the recipe is assumed: {', '.join(assumed)}; --recipe size=…,mean=…,std=…,fit=… says another"
    return settled(base, changes), (note,) if assumed else ()


def from_timm(config: Mapping[str, Any], name: str) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe of timm's `pretrained_cfg`, and notes of what of it cannot be said. Raises ModelError."""
    channels, height, width = config.get("input_size") or (3, _SIZE, _SIZE)
    if channels not in {1, 3}:
        raise ModelError(f"{name}: its pictures have {channels} channels; accepted: 3, or 1")
    mean, std = (
        _triple(config.get(key) or usual) for key, usual in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD))
    )
    interpolation = config.get("interpolation") or "bicubic"
    notes = []
    if interpolation not in INTERPOLATIONS:
        notes.append(f"{name}: interpolation {interpolation!r} is taken as bilinear")
        interpolation = "bilinear"
    common: dict[str, Any] = {
        "mean": mean,
        "std": std,
        "interpolation": interpolation,
        "channels": "GRAY" if channels == 1 else "RGB",
    }
    share = config.get("crop_pct") or 0.875
    mode = config.get("crop_mode") or "center"
    if mode not in {"center", "squash", "border"}:
        notes.append(f"{name}: crop_mode {mode!r} is taken as 'center'")
    if mode in {"squash", "border"}:
        if share != 1:
            notes.append(
                f"{name}: crop_pct {share} with crop_mode {mode!r} is taken as 1: nothing is cut off"
            )
        if mode == "squash":
            return Recipe(width, height, fit="stretch", **common), tuple(notes)
        pad = min(255, max(0, round(255 * sum(mean) / len(mean))))
        return Recipe(width, height, fit="letterbox", pad=pad, **common), tuple(notes)
    return Recipe(width, height, resize=math.floor(min(width, height) / share), **common), tuple(notes)


def _triple(values: Any) -> tuple[float, float, float]:
    numbers = tuple(map(float, values))
    return numbers * 3 if len(numbers) == 1 else numbers  # type: ignore[return-value] # Recipe refuses other lengths
