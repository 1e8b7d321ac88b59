"""Names under which published weights were saved before torchvision renamed its modules; its own loader translates them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_FORMER_NAMES = {
    re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.\w+)$"): r"\1\2",
    re.compile(r"^(encoder\..*\.mlp)\.linear_1\.(\w+)$"): r"\1.0.\2",
    re.compile(r"^(encoder\..*\.mlp)\.linear_2\.(\w+)$"): r"\1.3.\2",
}


def present_name(name: str) -> str:
    """What a parameter is called today."""
    for former, present in _FORMER_NAMES.items():
        name = former.sub(present, name)
    return name


def by_present_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same tensors, by what they are called today."""
    return {present_name(name): value for name, value in state.items()}
