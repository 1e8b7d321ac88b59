"""What a source becomes: an OpenVINO model with everything that is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.engines.half import Tensors
    from shared.engines.openvino.runtime import ov
    from shared.network.partition import SplitPoint
    from shared.network.recipe import Recipe


class Reference(Protocol):
    """The framework that a network comes from. It computes what the bundle's answers are compared with."""

    name: str

    def whole(self, pictures: Tensors) -> Tensors:
        """The outputs for the normalised pictures, one array (B, C, H, W)."""

    def crossings(self, pictures: Tensors) -> Mapping[str, Tensors]:
        """What crosses at each of the split points that the framework itself can cut at, by name."""

    def tail(self, point: SplitPoint, crossing: Tensors) -> Tensors | None:
        """The outputs for what crosses at `point`; None if the framework cannot cut there."""


@dataclass(frozen=True, eq=False)
class Source:
    """A network as it was found, not yet cut."""

    name: str
    weights: str
    model: ov.Model
    """One Parameter (-1 or 1, C, H, W) float32. A Result for each of `known`, then one for each of `outputs`."""
    outputs: tuple[str, ...]
    recipe: Recipe
    labels: tuple[str, ...]
    origin: dict[str, str | int | None]
    """The `source` of bundle.json."""
    reference: Reference | None
    fingerprint: bytes | None = None
    """Given for networks of torchvision; else it is computed from the graph."""
    notes: tuple[str, ...] = ()
    known: tuple[SplitPoint, ...] = ()
    """Split points that the source's own framework finds, with its numbers: `input` and those after it, without `output`."""
    made_with: Mapping[str, str] = field(default_factory=dict)
    """Versions of the packages that read it."""

    @property
    def is_from_torch(self) -> bool:
        """Whether OpenVINO's converter named the operations, as it does for torch; files name their own."""
        return "torch" in self.made_with
