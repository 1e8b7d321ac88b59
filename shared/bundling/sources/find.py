"""Which reader a source needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.bundling.sources.file import SUFFIXES, from_file
from shared.errors import ModelError
from shared.network.manifest import MANIFEST
from shared.process.machine import expand_home
from shared.torch_network.source import is_torch_source

if TYPE_CHECKING:
    from shared.bundling.sources.source import Source
    from shared.network.choice import NetworkChoice


def find_source(choice: NetworkChoice, *, patience_s: float) -> Source:
    """Read and convert what `choice` names. Raises ModelError."""
    if is_torch_source(choice.model):
        from shared.bundling.sources.torch_module import from_torch  # noqa: PLC0415 - brings torch

        return from_torch(choice, patience_s=patience_s)
    if choice.model.endswith(SUFFIXES):
        return from_file(choice)
    if (expand_home(choice.model) / MANIFEST).is_file():
        raise ModelError(
            f"{choice.model}: is a bundle already; --inspect describes it, and --model {choice.model} runs it"
        )
    raise ModelError(
        f"model {choice.model}: accepted: a torchvision name, timm:NAME, file.py:build, package.module:build, or a file of "
        f"{', '.join(SUFFIXES)}"
    )
