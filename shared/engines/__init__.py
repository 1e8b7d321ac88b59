"""Run a head or a tail on arrays."""

from shared.engines.base import Engine
from shared.engines.torch_engine import TorchEngine

__all__ = ["Engine", "TorchEngine"]
