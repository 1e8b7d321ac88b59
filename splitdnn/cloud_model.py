"""What a cloud says it runs: the answer to `GET /model`, as far as a client needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.limits import FINGERPRINT_BYTES
from shared.network.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class CloudModel:
    """The network that a cloud runs."""

    name: str
    """What its source calls it, such as `resnet50`."""
    weights: str
    fingerprint: bytes
    """8 bytes, as `Network.fingerprint`."""
    recipe: Recipe
    """How a picture becomes the network's input."""
    split_points: Mapping[str, tuple[int, ...]]
    """Shape of what crosses, without the batch dimension, by name, in the network's order."""
    task: str
    """What the outputs mean: `classify`, or `raw` for arrays of any meaning."""
    codecs: tuple[str, ...]
    """Names of the codecs that the cloud decodes."""
    max_picture_pixels: int
    """Largest picture that the cloud resizes itself, in pixels."""


def parse_cloud_model(fields: Mapping[str, Any]) -> CloudModel:
    """Raises KeyError, TypeError, ValueError or AttributeError for anything that is not such an answer."""
    fingerprint = bytes.fromhex(fields["fingerprint"])
    if len(fingerprint) != FINGERPRINT_BYTES:
        raise ValueError("a fingerprint that no network has")
    return CloudModel(
        str(fields["model"]),
        str(fields["weights"]),
        fingerprint,
        Recipe.from_public(fields["preprocessing"]),
        {name: tuple(map(int, shape)) for name, shape in fields["split_points"].items()},
        str(fields.get("task", "classify")),  # a cloud that does not say runs a classifier
        tuple(fields["codecs"]),
        int(fields["limits"]["max_picture_pixels"]),
    )
