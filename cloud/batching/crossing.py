"""A crossing as the tails take it: what several frames sent at one split point, one row for each frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shared.engines.half import Tensors

if TYPE_CHECKING:
    from collections.abc import Sequence

Crossing = Tensors
"""The tensors that cross at a split point, each (n, *its shape) for n frames."""


@dataclass(frozen=True, slots=True)
class TailRun:
    """What one caller gets: the outputs, each (n, …) for its n frames, and where the time went, in seconds."""

    outputs: Tensors
    queue_s: float
    tail_s: float


def frames_in(crossing: Crossing) -> int:
    """The number of frames, n."""
    return len(crossing[0])


def rows(crossing: Tensors, start: int, stop: int) -> Tensors:
    """The frames from `start` up to `stop`, as views."""
    return tuple(tensors[start:stop] for tensors in crossing)


def join(crossings: Sequence[Tensors]) -> Tensors:
    """The frames of several crossings at one split point, or of their outputs, in order. Copies them, unless there is only one."""
    if len(crossings) == 1:
        return crossings[0]
    return tuple(np.concatenate(tensors) for tensors in zip(*crossings, strict=True))
