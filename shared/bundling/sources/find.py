"""Which reader a source needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.errors import ModelError
from shared.torch_network.source import is_torch_source

if TYPE_CHECKING:
    from shared.bundling.sources.source import Source
    from shared.network.choice import NetworkChoice


def find_source(choice: NetworkChoice, *, patience_s: float) -> Source:
    """Read and convert what `choice` names. Raises ModelError."""
    if is_torch_source(choice.model):
        from shared.bundling.sources.torch_module import from_torch  # noqa: PLC0415 - brings torch

        return from_torch(choice, patience_s=patience_s)
    raise ModelError(f"model {choice.model}: no such source")
