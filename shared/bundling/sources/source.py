"""What a source becomes: an OpenVINO model with everything that is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from shared.engines.half import Tensors
    from shared.engines.openvino.runtime import ov
    from shared.network.partition import SplitPoint
    from shared.network.recipe import Recipe
    from shared.tasks.spec import TaskSpec


class Reference(Protocol):
    """The framework that a network comes from. It computes what the bundle's answers are compared with."""

    name: str

    def crossings(self, pictures: Tensors) -> Mapping[str, Tensors]:
        """What crosses, by name, where the framework itself can cut; at `output` always.

        `pictures` is one array (B, C, H, W), normalised. Each result is (B, …), of the split point's shape but for 1s.
        """

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
    is_given: Callable[[str], bool] = lambda _: False
    """Whether a name like `Relu_1` is the source's own, and not one that OpenVINO made."""
    made_with: Mapping[str, str] = field(default_factory=dict)
    """Versions of the packages that read it."""
    said: Mapping[str, str] = field(default_factory=dict)
    """What the file says of itself, as its exporter wrote it."""
    task: TaskSpec | None = None
    """What the outputs mean, if the source knows it without looking at them."""
    constants: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """Outputs that do not depend on the picture, by name, without the batch dimension: prior boxes."""
