"""Networks that come from torch, by what the user calls them. This module imports torch only when one is built."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shared.errors import ModelError
from shared.network.choice import NAMED_SECONDS, NetworkChoice

if TYPE_CHECKING:
    from shared.torch_network.network import TorchNetwork

KINDS = ("torchvision", "timm", "function")
"""What `source["kind"]` may be."""

_TIMM = "timm:"
_TORCHVISION_NAME = re.compile(r"[a-z][a-z0-9_]*")
_FUNCTION = re.compile(r"(?P<module>.+):(?P<name>[A-Za-z_][A-Za-z0-9_.]*)", re.DOTALL)


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


def refusal(source: dict[str, str | int | None], *, fetched: bool) -> str:
    """Why torch must not build the network of a bundle that was `fetched`; empty if it may.

    Whoever serves a bundle chooses its `source`, which must not choose the code that runs here. The model is looked at beside the
    kind, as it is what is built.
    """
    model = str(source.get("model"))
    if not fetched or (
        source.get("kind") in ("torchvision", "timm")
        and (model.startswith(_TIMM) or not _FUNCTION.fullmatch(model))
    ):
        return ""
    return f"a bundle fetched from a cloud names {model[:200]!a} as its source, and code that a cloud names is not run"


def rebuild(
    source: dict[str, str | int | None], *, weights: str | None = None, fetched: bool = False
) -> TorchNetwork:
    """Build the network of a bundle again from its `source`; `weights` stands for the ones named there.

    Raises ModelError, which names what to give if a file is gone; also for `refusal`, where the bundle was `fetched`.
    """
    if problem := refusal(source, fetched=fetched):
        raise ModelError(problem)
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
