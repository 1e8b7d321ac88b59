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
    task: str
    """What its answers are: `classify` or `raw`."""


def parse_cloud_model(fields: Mapping[str, Any]) -> CloudModel:
    """Raises KeyError, TypeError, ValueError or AttributeError for anything that is not such an answer."""
    model = CloudModel(
        str(fields["model"]),
        str(fields["weights"]),
        bytes.fromhex(fields["fingerprint"]),
        Recipe.from_public(fields["preprocessing"]),
        {name: tuple(map(int, shape)) for name, shape in fields["split_points"].items()},
        tuple(fields["codecs"]),
        int(fields["limits"]["max_picture_pixels"]),
        str(fields.get("task", "classify")),
    )
    if len(model.fingerprint) != FINGERPRINT_BYTES:
        raise ValueError("a fingerprint that no network has")
    return model
