"""Rate against agreement on frames that were not fitted to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shared.codecs import encode_frame
from shared.codecs.calibrated.codec import Calibrated
from shared.tasks.classify import divergences
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.calibration.fit import Recipe
    from shared.codecs.calibrated.profile import Profile
    from shared.engines.half import Half

_BATCH = 8
_SIGMAS = 1.96


@dataclass(frozen=True)
class Point:
    """What one recipe gives."""

    recipe: Recipe
    frame_bytes: float
    """Mean length of a frame on the wire, its header included."""
    agreement: float
    """Share of frames whose top class is that of the unsplit network."""
    low: float
    high: float
    """Its 95 % interval (Wilson, 1927)."""
    divergence: float
    """Mean Kullback-Leibler divergence from the unsplit network's answer, in nats."""
    frames: int


def measure(
    profile: Profile,
    recipe: Recipe,
    tensors: Sequence[NDArray[np.float32]],
    logits: NDArray[np.float32],
    tail: Half,
) -> Point:
    """Encode and decode `tensors` for real; `logits` (N, K) are the unsplit network's answers to them."""
    codec = Calibrated(profile)
    sizes, answers = [], []
    for start in range(0, len(tensors), _BATCH):
        decoded = []
        for tensor in tensors[start : start + _BATCH]:
            frame = encode_frame(
                tensor, codec, split_point=profile.split_point, fingerprint=profile.fingerprint, frame_id=0
            )
            sizes.append(len(wire.pack(frame)))
            decoded.append(codec.decode(frame.params, frame.payload, frame.shape))
        answers.append(np.array(tail(np.stack(decoded))))
    given = np.concatenate(answers)
    agrees = given.argmax(1) == logits.argmax(1)
    low, high = wilson(int(agrees.sum()), len(agrees))
    return Point(
        recipe,
        float(np.mean(sizes)),
        float(agrees.mean()),
        low,
        high,
        divergence(logits, given),
        len(agrees),
    )


def divergence(logits: NDArray[np.float32], given: NDArray[np.float32]) -> float:
    """Mean of KL(softmax(logits) || softmax(given)) over the rows, in nats."""
    return float(divergences(logits, given).mean())


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share."""
    share, z2 = hits / count, _SIGMAS**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = _SIGMAS * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def choose(points: Sequence[Point], target: float) -> Point:
    """The cheapest that reaches the target; where none does, the one that comes nearest."""
    reached = [point for point in points if point.agreement >= target]
    if reached:
        return min(reached, key=lambda point: point.frame_bytes)
    return max(points, key=lambda point: (point.agreement, -point.divergence))
