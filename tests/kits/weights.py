"""A small architecture, its weights, and where torch keeps downloaded ones."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch

from shared.torch_network.vision import get_model, get_model_weights

SMALL = "squeezenet1_1"
NAME = "IMAGENET1K_V1"


@cache
def _state() -> dict[str, torch.Tensor]:
    return get_model(SMALL, weights=None).state_dict()


def small_state() -> dict[str, torch.Tensor]:
    """Seeded by nobody; the same throughout a process."""
    return dict(_state())


def cached_file(cache: Path) -> Path:
    """Where a download would put them."""
    return cache / Path(get_model_weights(SMALL)[NAME].url).name


def saved(folder: Path, state: object, name: str = "mine.pth") -> str:
    """The path of a file with this state dict."""
    torch.save(state, folder / name)
    return str(folder / name)


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    """Whether two networks have the same weights, to the bit."""
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
