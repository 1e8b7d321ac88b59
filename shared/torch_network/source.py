"""Networks that come from torch, by what the user calls them. This module imports torch only when one is built."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.errors import ModelError
from shared.network.choice import NetworkChoice

if TYPE_CHECKING:
    import torch

    from shared.network.recipe import Recipe

NAMED_SECONDS = 900.0
"""Seconds that the download of weights that were named may take."""

KINDS = ("torchvision", "timm", "function")
"""What `source["kind"]` may be."""

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
    """Build the network that `choice` names, with its weights. Raises ModelError, or SettingsError for its recipe."""
    return _build(choice, patience_s, folder=None)


def _build(choice: NetworkChoice, patience_s: float, *, folder: str | None) -> TorchNetwork:
    # Each brings torch, and only one is needed.
    if choice.model.startswith(_TIMM):
        from shared.torch_network.timm import build_timm  # noqa: PLC0415 - see above

        return build_timm(choice, patience_s=patience_s)
    if _FUNCTION.fullmatch(choice.model):
        from shared.torch_network.function import build_function  # noqa: PLC0415 - see above

        return build_function(choice, folder=folder)
    from shared.torch_network.torchvision import build_torchvision  # noqa: PLC0415 - see above

    return build_torchvision(choice, patience_s=patience_s)


def rebuild(source: dict[str, str | int | None], *, weights: str | None = None) -> TorchNetwork:
    """Build the network of a bundle again from its `source`; `weights` stands for the ones named there.

    Raises ModelError, which names what to give if a file is gone.
    """
    if source.get("kind") not in KINDS:
        raise ModelError(
            f"the bundle was made from {source.get('kind') or 'something'}, which torch cannot build; the torch engine needs a "
            f"bundle from {', '.join(KINDS)}"
        )
    seed, folder, recipe = source.get("seed"), source.get("folder"), source.get("recipe")
    choice = NetworkChoice(
        model=str(source.get("model")),
        weights=weights or str(source.get("weights")),
        seed=seed if isinstance(seed, int) else 0,
        recipe=recipe if isinstance(recipe, str) else None,
    )
    try:
        return _build(choice, NAMED_SECONDS, folder=folder if isinstance(folder, str) else None)
    except ModelError as error:
        raise ModelError(
            f"the bundle's network cannot be built again from {choice.model} with weights {choice.weights}: {error}; put the "
            "files back, name the weights with --weights, or make the bundle again"
        ) from error
