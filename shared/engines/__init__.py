"""Engines run a network's heads and tails on arrays."""

from shared.engines.base import Engine
from shared.engines.choice import make_engine
from shared.engines.torch_engine import TorchEngine

__all__ = ["Engine", "TorchEngine", "make_engine"]
