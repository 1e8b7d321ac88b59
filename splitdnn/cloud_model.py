"""What a cloud says it runs: the answer to `GET /model`, as far as a client needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.limits import FINGERPRINT_BYTES, MAX_PICTURE_PIXELS
from shared.network.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class CloudModel:
    """The network that a cloud runs."""

    name: str
    """The architecture, such as `resnet50`."""
    weights: str
    fingerprint: bytes
    """8 bytes, as `Network.fingerprint`."""
    recipe: Recipe
    """How a picture becomes the network's input."""
    split_points: Mapping[str, tuple[int, ...]]
    """Shape of what crosses, without the batch dimension, by name, in the network's order."""
    codecs: tuple[str, ...]
    """Names of the codecs that the cloud decodes."""
    max_picture_pixels: int
    """Largest picture that the cloud resizes itself, in pixels."""


def parse_cloud_model(fields: Mapping[str, Any]) -> CloudModel:
    """Raises KeyError, TypeError, ValueError or AttributeError for anything that is not such an answer."""
    recipe = fields["preprocessing"]
    mean, std = (
        (float(red), float(green), float(blue)) for red, green, blue in (recipe["mean"], recipe["std"])
    )
    model = CloudModel(
        str(fields["model"]),
        str(fields["weights"]),
        bytes.fromhex(fields["fingerprint"]),
        Recipe(int(recipe["resize"]), int(recipe["crop"]), mean, std, str(recipe["interpolation"])),
        {name: tuple(map(int, shape)) for name, shape in fields["split_points"].items()},
        tuple(fields["codecs"]),
        int(fields["limits"]["max_picture_pixels"]),
    )
    sides = model.recipe.resize, model.recipe.crop
    if len(model.fingerprint) != FINGERPRINT_BYTES or not all(
        0 < side**2 <= MAX_PICTURE_PIXELS for side in sides
    ):
        raise ValueError("a fingerprint or a recipe that no network has")
    if model.recipe.interpolation not in ("bilinear", "bicubic"):
        raise ValueError(f"interpolation {model.recipe.interpolation}")
    return model
