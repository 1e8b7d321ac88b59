"""The properties of a network link."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Direction = Literal["up", "down"]


@dataclass(frozen=True)
class Link:
    """The properties of an emulated link. Raises ValueError for impossible values."""

    up_bits_per_s: float = math.inf
    down_bits_per_s: float = math.inf
    delay_s: float = 0.0
    """Seconds one way, the same in each direction."""
    jitter_s: float = 0.0
    """Up to so much is added to the delay, evenly spread; a connection's bytes keep their order, so wait for each other."""
    loss: float = 0.0
    """The share of segments that are lost. TCP sends them again: they and what follows arrive `stall_s` later."""
    stall_s: float = 0.2
    """Linux waits at least so long before it sends again on its own."""

    def __post_init__(self) -> None:
        for name in ("up_bits_per_s", "down_bits_per_s"):
            value = getattr(self, name)
            if not value > 0:  # also NaN
                raise ValueError(f"{name} is {value}; accepted is a number above 0, or inf for no limit")
        for name in ("delay_s", "jitter_s", "stall_s"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} is {value}; accepted is a finite number of seconds, 0 or more")
        if not 0 <= self.loss <= 1:
            raise ValueError(f"loss is {self.loss}; accepted is a share from 0 to 1")

    def bits_per_s(self, direction: Direction) -> float:
        return self.up_bits_per_s if direction == "up" else self.down_bits_per_s
