"""What both sides know of a network: its name, where its weights come from, its recipe, its task and its fingerprint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.network.recipe import Recipe
    from shared.tasks.spec import TaskSpec


@dataclass(frozen=True, eq=False)
class Model:
    """A network without its graph and parameters."""

    name: str
    """`resnet50`, `mynet:build`, `timm:vit_tiny_patch16_224`, `fastestdet`."""
    weights: str
    """The origin of the weights: `IMAGENET1K_V1`, `file:resnet50.pth`, `random:0`; for files that hold their own, the file."""
    recipe: Recipe
    labels: tuple[str, ...]
    """One for each class; empty for a network whose answer is not classes."""
    fingerprint: bytes
    """8 bytes of SHA-256. Networks from torchvision: over architecture, weights and recipe; others: over recipe, graph and constants."""
    task: TaskSpec
    """What the outputs mean."""
    outputs: tuple[str, ...]
    """The outputs' names, in their order."""
