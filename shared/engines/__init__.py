"""Engines run a network's heads and tails on arrays. The one that runs torch is imported only when it is asked for."""

from shared.engines.base import Engine
from shared.engines.choice import make_engine

__all__ = ["Engine", "make_engine"]
