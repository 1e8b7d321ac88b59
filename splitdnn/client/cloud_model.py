"""What a cloud says it runs: the answer to `GET /model`, as far as a client needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.limits import FINGERPRINT_BYTES
from shared.network.recipe import Recipe
from shared.tasks.base import foreign_label

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
    shapes: Mapping[str, tuple[tuple[int, ...], ...]]
    """Shape of each tensor that crosses, without the batch dimension, by split point, in the network's order."""
    codecs: tuple[str, ...]
    """Names of the codecs that the cloud decodes."""
    max_picture_pixels: int
    """Largest picture that the cloud resizes itself, in pixels."""
    task: str
    """What its answers are: `classify`, `detect`, `segment`, `raw` or a task of another package."""
    wire_versions: tuple[int, ...]
    """Versions of frames that the cloud reads: 2 carries several tensors."""

    @property
    def split_points(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of what crosses, by name, at the split points where one tensor does; `shapes` has them all."""
        return {name: shapes[0] for name, shapes in self.shapes.items() if len(shapes) == 1}


def parse_cloud_model(fields: Mapping[str, Any]) -> CloudModel:
    """Raises KeyError, TypeError, ValueError or AttributeError for anything that is not such an answer."""
    model = CloudModel(
        foreign_label(fields["model"]),
        foreign_label(fields["weights"]),
        bytes.fromhex(fields["fingerprint"]),
        Recipe.from_public(fields["preprocessing"]),
        {foreign_label(name): _shapes(said) for name, said in fields["split_points"].items()},
        tuple(map(foreign_label, fields["codecs"])),
        int(fields["limits"]["max_picture_pixels"]),
        foreign_label(fields.get("task", "classify")),
        tuple(map(int, fields.get("wire_versions", (1,)))),
    )
    if len(model.fingerprint) != FINGERPRINT_BYTES:
        raise ValueError("a fingerprint that no network has")
    return model


def _shapes(said: list[Any]) -> tuple[tuple[int, ...], ...]:
    """A cloud says one shape where one tensor crosses, and a list of shapes where several do."""
    several = said if said and isinstance(said[0], list) else [said]
    return tuple(tuple(map(int, shape)) for shape in several)
