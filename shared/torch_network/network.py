"""A network from torch, built and ready."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from shared.network.recipe import Recipe
    from shared.tasks.spec import TaskSpec


@dataclass(frozen=True, eq=False)
class TorchNetwork:
    """A module with what a bundle of it says."""

    name: str
    """`resnet50`, `timm:vit_tiny_patch16_224`, `mynet:build`."""
    weights: str
    """The origin of the weights: `IMAGENET1K_V1`, `file:resnet50.pth`, `random:0`."""
    module: torch.nn.Module
    """In eval mode, float32, on the CPU, without gradients."""
    recipe: Recipe
    labels: tuple[str, ...]
    """One for each class, or none where nothing says what the outputs are."""
    source: dict[str, str | int | None]
    """What `rebuild` needs: kind, model, weights, seed, recipe. Paths are absolute."""
    fingerprint: bytes | None
    """8 bytes, for torchvision's networks: over architecture, weights and recipe. None for others."""
    notes: tuple[str, ...]
    """What was decided without being asked, a line each."""
    task: TaskSpec | None = None
    """What the outputs mean, if the source itself says it."""
