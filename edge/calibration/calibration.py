"""From pictures to a profile, and what it costs and gives.

pictures ─► head ─► tensors ─┬─► three quarters are fitted to, with several presets
                             └─► one quarter is coded, decoded and finished by the tail: bytes against agreement
The preset that is the cheapest at the wanted agreement is fitted to all of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.calibration.fit import fit_profile, presets, variants
from edge.calibration.importance import measure_importance
from shared.codecs import encode_frame
from shared.codecs.calibrated.codec import Calibrated
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge.calibration.fit import Preset
    from shared.codecs.calibrated.profile import Profile
    from shared.engines.half import Half, Tensors
    from shared.engines.load import Network
    from shared.tasks.base import Task

MIN_PICTURES = 24
_HELD_OUT = 4
_BATCH = 8
_SIGMAS = 1.96


@dataclass(frozen=True)
class Point:
    """What one preset gives."""

    preset: Preset
    frame_bytes: float
    """Mean length of a frame on the wire, its header included."""
    agreement: float
    """How much of the unsplit network's answers was kept, 0 … 1: for classes, the share of frames with its top class."""
    low: float
    high: float
    """The 95 % interval of the agreement (Wilson, 1927)."""
    divergence: float
    """Mean divergence from the unsplit network's outputs: of classes, Kullback-Leibler, in nats; else the relative error."""
    frames: int


@dataclass(frozen=True)
class Calibration:
    """A profile, and the points that it was chosen from."""

    profile: Profile
    points: Sequence[Point]
    """One for each preset, from fine to coarse, measured on pictures that were not fitted to."""
    chosen: Point
    """The point of the preset that the profile was fitted with."""


def calibrate_on(
    network: Network,
    pictures: Sequence[NDArray[np.uint8]],
    target: float,
    show: Callable[..., object] = lambda *_: None,
) -> Calibration:
    """Fit a profile for `network.point` to prepared pictures, (height, width, 3) uint8 RGB, at least MIN_PICTURES.

    `target`: how much of the unsplit network's answers shall be kept, 0 … 1: for classes, the share of pictures with its top class. `show(step, done, total)` is called
    as the work goes on.
    """
    point, engine = network.point, network.engine
    head, tail = engine.head(point), engine.tail(point)

    def cross(pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        found = []
        for number, picture in enumerate(pictures):
            show("running the head", number, len(pictures))
            (tensor,) = head((network.model.recipe.normalise(picture)[None],))
            found.append(np.array(tensor[0]))
        return found

    # The last quarter, not every fourth: neighbours in a video are alike.
    fitted = len(pictures) - len(pictures) // _HELD_OUT
    tensors = cross(pictures)
    held_out = tensors[fitted:]
    task = make_task(network.model, Wanted())
    outputs = joined([tail((tensor[None],)) for tensor in held_out])
    extra = cross(variants(pictures[:fitted]))
    show("measuring importance")
    importance = measure_importance(network.bundle, point, tail, tensors[:fitted])

    def fit(tensors: list[NDArray[np.float32]], preset: Preset, about: dict[str, str]) -> Profile:
        return fit_profile(
            tensors,
            preset,
            fingerprint=network.model.fingerprint,
            split_point=point.name,
            importance=importance,
            about=about,
        )

    points = []
    signed = min(float(tensor.min()) for tensor in tensors[:fitted]) < 0
    tried = presets(point.shape, signed=signed, pooled=importance.pooled)
    for number, preset in enumerate(tried):
        show("fitting and measuring", number, len(tried) + 1)
        points.append(
            measure(fit(tensors[:fitted] + extra, preset, {}), preset, held_out, outputs, tail, task)
        )
    chosen = choose(points, target)
    show("fitting and measuring", len(tried), len(tried) + 1)
    about = {
        "model": network.model.name,
        "frame_bytes": f"{chosen.frame_bytes:.0f}",
        "agreement": f"{chosen.agreement:.4f}",
        "divergence": f"{chosen.divergence:.5f}",
        "held_out_frames": str(chosen.frames),
    }
    return Calibration(fit(tensors + extra, chosen.preset, about), points, chosen)


def measure(
    profile: Profile,
    preset: Preset,
    tensors: Sequence[NDArray[np.float32]],
    outputs: Tensors,
    tail: Half,
    task: Task,
) -> Point:
    """Encode and decode `tensors` for real; `outputs`, each (N, …), are the unsplit network's for them."""
    codec = Calibrated(profile)
    sizes, found = [], []
    for start in range(0, len(tensors), _BATCH):
        decoded = []
        for tensor in tensors[start : start + _BATCH]:
            frame = encode_frame(
                [tensor], codec, split_point=profile.split_point, fingerprint=profile.fingerprint, frame_id=0
            )
            sizes.append(len(wire.pack(frame)))
            (sent,) = frame.tensors
            decoded.append(codec.decode(sent.params, sent.payload, sent.shape))
        found.append(tail((np.stack(decoded),)))
    given = joined(found)
    agreement = task.agreement(outputs, given)
    low, high = wilson(agreement.share, agreement.size)
    return Point(
        preset,
        float(np.mean(sizes)),
        agreement.share,
        low,
        high,
        float(task.divergence(outputs, given).mean()),
        len(tensors),
    )


def joined(batches: Sequence[Tensors]) -> Tensors:
    """The tensors of several batches as those of one, copied."""
    return tuple(np.concatenate(tensors) for tensors in zip(*batches, strict=True))


def wilson(share: float, count: float) -> tuple[float, float]:
    """The 95 % interval of a share of `count` things; all that is possible if there are none."""
    if count <= 0:
        return 0.0, 1.0
    z2 = _SIGMAS**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = _SIGMAS * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def choose(points: Sequence[Point], target: float) -> Point:
    """The cheapest point that reaches the target; if none does, the one that comes nearest."""
    reached = [point for point in points if point.agreement >= target]
    if reached:
        return min(reached, key=lambda point: point.frame_bytes)
    return max(points, key=lambda point: (point.agreement, -point.divergence))
