"""What a codec costs and gives at a split point, from real frames."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.codecs import encode_frame
from shared.codecs.coding import decode_tensors
from shared.tasks.agreement import wilson
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.calibration.fit import Preset
    from shared.codecs import Codec
    from shared.engines.half import Half, Tensors
    from shared.tasks.base import Task

_BATCH = 8


@dataclass(frozen=True)
class Point:
    """What one choice of presets gives, one preset for each tensor of the crossing; no preset, if another codec was measured."""

    presets: tuple[Preset, ...]
    frame_bytes: float
    """Mean length of a frame on the wire, its header included."""
    agreement: float
    """How much of the unsplit network's answers was kept, 0 … 1: for classes, the share of frames with its top class; for boxes, F1."""
    low: float
    high: float
    """The 95 % interval of the agreement (Wilson, 1927)."""
    divergence: float
    """Mean divergence from the unsplit network's outputs, in the task's unit."""
    frames: int
    kept: float | None = None
    """The share of what the unsplit network finds that is found, where a frame's answer may hold several things or none."""
    expected: float = math.inf
    """How many things the unsplit network finds in these frames."""

    @property
    def preset(self) -> Preset:
        """The only tensor's. Raises ValueError where several cross."""
        (preset,) = self.presets
        return preset

    @property
    def step(self) -> str:
        """The step size of each tensor."""
        return "/".join(f"{preset.step:.3g}" for preset in self.presets)


def measure(
    codec: Codec,
    crossing: Sequence[Sequence[NDArray[Any]]],
    outputs: Tensors,
    tail: Half,
    task: Task,
    *,
    split_point: str,
    fingerprint: bytes,
    presets: Sequence[Preset] = (),
    reader: Codec | None = None,
) -> Point:
    """Encode and decode crossings for real: `crossing` has for each tensor those of N frames, without the batch dimension.

    `outputs`, each (N, …), are the unsplit network's for them. `presets`: those that the codec's profile was fitted with. `reader`: what
    decodes, if the codec is a stream.
    """
    codecs = [(reader or codec).of_tensor(number) for number in range(len(crossing))]
    frames = list(zip(*crossing, strict=True))
    sizes, found = [], []
    for start in range(0, len(frames), _BATCH):
        decoded = []
        for tensors in frames[start : start + _BATCH]:
            frame = encode_frame(tensors, codec, split_point=split_point, fingerprint=fingerprint, frame_id=0)
            sizes.append(len(wire.pack(frame)))
            decoded.append(decode_tensors(frame, codecs))
        found.append(tail(tuple(np.stack(each) for each in zip(*decoded, strict=True))))
    given = joined(found)
    agreement = task.agreement(outputs, given)
    low, high = wilson(agreement.share, agreement.size)
    one_each = bool((agreement.expected == 1).all() and (agreement.found == 1).all())
    return Point(
        tuple(presets),
        float(np.mean(sizes)),
        agreement.share,
        low,
        high,
        float(task.divergence(outputs, given).mean()),
        len(frames),
        None if one_each else agreement.kept,
        float(agreement.expected.sum()),
    )


def joined(batches: Sequence[Tensors]) -> Tensors:
    """The tensors of several batches as those of one, copied."""
    return tuple(np.concatenate(tensors) for tensors in zip(*batches, strict=True))


def choose(points: Sequence[Point], target: float) -> Point:
    """The cheapest point that reaches the target; if none does, the one that comes nearest.

    Where the unsplit network finds nothing, agreement says nothing, and the smallest divergence is chosen.
    """
    if all(point.expected == 0 for point in points):
        return min(points, key=lambda point: point.divergence)
    reached = [point for point in points if point.agreement >= target]
    if reached:
        return min(reached, key=lambda point: point.frame_bytes)
    return max(points, key=lambda point: (point.agreement, -point.divergence))
