"""Loads that an autoscaler meets, as frames a second over time. Cameras come and go; each sends evenly, from a time of its own on."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FPS = 5.0
"""What each camera sends."""


@dataclass(frozen=True)
class Trace:
    """`rate(t)` is frames/s at a time t, 0 to `seconds`."""

    name: str
    what: str
    seconds: float
    rate: Callable[[float], float]
    begins_s: float = 0.0
    """When what it is about begins: as long as the autoscaler may settle before."""


def _between(low: float, high: float, share: float) -> float:
    return low + (high - low) * min(1.0, max(0.0, share))


TRACES = (
    Trace(
        "step", "120 frames/s, then 720 for 15 minutes, then 120",
        2400, lambda t: 720.0 if 300 <= t < 1200 else 120.0, 300,
    ),
    Trace(
        "ramp", "60 frames/s to 900 within 10 minutes, as long at 900, and back within 10",
        2700, lambda t: _between(60, 900, min((t - 300) / 600, (2100 - t) / 600)), 300,
    ),
    Trace(
        "day", "a day within two hours: 40 frames/s at night, 440 at noon",
        7200, lambda t: 240 - 200 * math.cos(2 * math.pi * t / 7200),
    ),
    Trace(
        "flash", "120 frames/s, then 1500 within 5 s, for 3 minutes: a train arrives",
        1500, lambda t: _between(120, 1500, min((t - 300) / 5, (485 - t) / 5)), 300,
    ),
)  # fmt: skip


def arrivals(trace: Trace, seed: int = 0) -> Iterator[float]:
    """When frames come, in order. The same ones for one seed."""
    chance = random.Random(seed)  # noqa: S311 - nothing to guard
    period_s = 1 / FPS
    phases = [
        chance.random() * period_s for _ in range(math.ceil(max(map(trace.rate, _times(trace))) / FPS) + 1)
    ]

    @lru_cache(maxsize=64)
    def first(count: int) -> list[float]:
        return sorted(phases[:count])

    for number in range(math.ceil(trace.seconds / period_s)):
        begins_s = number * period_s
        for phase in first(round(trace.rate(begins_s) / FPS)):
            yield begins_s + phase


def _times(trace: Trace) -> Iterator[float]:
    return (float(second) for second in range(math.ceil(trace.seconds) + 1))
