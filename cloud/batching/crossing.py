"""A crossing as the tails take it: what several frames sent at one split point, one row for each frame."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.engines.half import Tensors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_KEPT_BYTES = 32 << 20
"""Larger batches get memory of their own."""
_ALIGNMENT = 64
"""Each tensor begins at a multiple of so many bytes from the first: symbols of one byte may lie before numbers of four."""

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


class Joining:
    """Joins crossings in memory that each thread uses again: 6 MB of new pages for each batch take as long as decoding two frames."""

    def __init__(self) -> None:
        self._local = threading.local()

    def join(self, crossings: Sequence[Tensors]) -> Tensors:
        """As `join` does. The result is valid until this thread's next call, and must not be kept."""
        if len(crossings) == 1:
            return crossings[0]
        size = sum(_room(tensors) for tensors in zip(*crossings, strict=True))
        if size > _KEPT_BYTES:
            return join(crossings)
        memory = getattr(self._local, "memory", None)
        if memory is None or len(memory) < size:
            memory = self._local.memory = np.empty(size, np.uint8)
        joined, start = [], 0
        for tensors in zip(*crossings, strict=True):
            frames, end = sum(map(len, tensors)), start + sum(each.nbytes for each in tensors)
            place = memory[start:end].view(tensors[0].dtype).reshape(frames, *tensors[0].shape[1:])
            joined.append(np.concatenate(tensors, out=place))
            start += _room(tensors)
        return tuple(joined)

    def owned(self, outputs: Tensors) -> Tensors:
        """The same outputs, copied where they lie in this thread's memory, as those of a tail do that only hands on what it is given."""
        memory = getattr(self._local, "memory", None)
        if memory is None:
            return outputs
        return tuple(each.copy() if np.may_share_memory(each, memory) else each for each in outputs)


def _room(tensors: Sequence[NDArray[Any]]) -> int:
    """Bytes from the start of these to the start of what comes behind them."""
    return -(-sum(each.nbytes for each in tensors) // _ALIGNMENT) * _ALIGNMENT
