"""What each way costs at the same agreement, read off its line between the settings that were measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes per frame at some agreement."""

    frame_bytes: float
    at_most: bool = False
    """The cheapest setting is better than asked for: less was not measured."""

    def __str__(self) -> str:
        return f"{'≤ ' if self.at_most else ''}{self.frame_bytes:.0f}"


def cost_at(agreement: float, line: Iterable[tuple[float, float]]) -> Cost | None:
    """Of (bytes per frame, agreement) points: bytes at `agreement`, linear in the logarithm of the bytes.

    A setting that costs more than another and agrees less is left out: nobody would choose it. None if no setting agrees so
    much: nothing is guessed beyond what was measured.
    """
    below: tuple[float, float] | None = None
    for size, found in sorted(line, key=lambda point: (point[0], -point[1])):
        if found >= agreement:
            if below is None:
                return Cost(size, at_most=found > agreement)
            share = (agreement - below[1]) / (found - below[1])
            return Cost(math.exp(math.log(below[0]) + share * (math.log(size) - math.log(below[0]))))
        if below is None or found > below[1]:
            below = (size, found)
    return None
