"""Networks that come from torch, by what the user calls them. This module imports torch only when one is built."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.network.choice import NetworkChoice

if TYPE_CHECKING:
    import torch

    from shared.network.recipe import Recipe

NAMED_SECONDS = 900.0
"""Seconds that the download of weights that were named may take."""

_TIMM = "timm:"
_TORCHVISION_NAME = re.compile(r"[a-z][a-z0-9_]*")
_FUNCTION = re.compile(r"(?P<module>.+):(?P<name>[A-Za-z_][A-Za-z0-9_.]*)", re.DOTALL)


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


def is_torch_source(model: str) -> bool:
    """Whether torch is needed to make a bundle of `model`: a torchvision name, `timm:NAME` or `file.py:build`."""
    return bool(model.startswith(_TIMM) or _TORCHVISION_NAME.fullmatch(model) or _FUNCTION.fullmatch(model))


def build(choice: NetworkChoice, *, patience_s: float = NAMED_SECONDS) -> TorchNetwork:
    """Build the network that `choice` names, with its weights. Raises ModelError."""
    from shared.torch_network.torchvision import build_torchvision  # noqa: PLC0415 - brings torch

    return build_torchvision(choice, patience_s=patience_s)


def rebuild(source: dict[str, str | int | None], *, weights: str | None = None) -> TorchNetwork:
    """Build the network of a bundle again from its `source`; `weights` stands for the ones named there.

    Raises ModelError, which names what to give if a file is gone.
    """
    seed = source.get("seed")
    recipe = source.get("recipe")
    return build(
        NetworkChoice(
            model=str(source["model"]),
            weights=weights or str(source["weights"]),
            seed=seed if isinstance(seed, int) else 0,
            recipe=recipe if isinstance(recipe, str) else None,
        )
    )
