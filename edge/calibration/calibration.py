"""From pictures to a profile, and what it costs and gives.

pictures ─► head ─► tensors ─┬─► three quarters are fitted to, with several presets
                             └─► one quarter is coded, decoded and finished by the tail: bytes against agreement
The preset that is the cheapest at the wanted agreement is fitted to all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.calibration.pictures import variants
from edge.calibration.point import choose, joined, measure
from edge.calibration.trials import Trials, cross
from shared.codecs.calibrated.inter.codec import CalibratedInter
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edge.calibration.point import Point
    from edge.calibration.trials import Crossing
    from shared.codecs.calibrated.profile import Profile
    from shared.engines.half import Half
    from shared.engines.load import Network

MIN_PICTURES = 24
_HELD_OUT = 4
STICKY = (0, 25, 50)
"""Hundredths of a step."""


@dataclass(frozen=True)
class Calibration:
    """A profile, and the points that it was chosen from."""

    profile: Profile
    points: Sequence[Point]
    """One for each preset, from fine to coarse, measured on pictures that were not fitted to."""
    chosen: Point
    """The point of the preset that the profile was fitted with."""
    streams: Sequence[tuple[int, Point]] = ()
    """For each of STICKY, what `calibrated-inter` gives on a run of frames to which it was not fitted; none, if it was not fitted at all."""


def calibrate_on(
    network: Network,
    pictures: Sequence[NDArray[np.uint8]],
    target: float,
    show: Callable[..., object] = lambda *_: None,
    runs: Sequence[Sequence[NDArray[np.uint8]]] = (),
) -> Calibration:
    """Fit a profile for `network.point` to prepared pictures, (height, width, 3) uint8 RGB, at least MIN_PICTURES.

    `target`: how much of the unsplit network's answers shall be kept, 0 … 1: for classes, the share of pictures with its top class;
    for boxes, F1. `runs`: of frames that follow each other, for the codec `calibrated-inter`, of which the last is not fitted to.
    `show(step, done, total)` is called as the work goes on.
    """
    point, engine = network.point, network.engine
    head, tail = engine.head(point), engine.tail(point)
    # The last quarter, not every fourth: neighbours in a video are alike.
    fitted = len(pictures) - len(pictures) // _HELD_OUT
    recipe = network.model.recipe
    crossing = cross(point, recipe, head, pictures, show)
    held_out = [tensors[fitted:] for tensors in crossing]
    outputs = joined([tail(tuple(each[None] for each in frame)) for frame in zip(*held_out, strict=True)])
    extra = cross(point, recipe, head, variants(pictures[:fitted]), show)
    show("measuring importance")
    trials = Trials(network.bundle, point, tail, [tensors[:fitted] for tensors in crossing], extra)
    points = trials.points(held_out, outputs, target, show)
    best = choose(points, target)
    show("fitting and measuring", len(points), len(points) + 1)
    about = {
        "model": network.model.name,
        "frame_bytes": f"{best.frame_bytes:.0f}",
        "agreement": f"{best.agreement:.4f}",
        **({} if best.kept is None else {"kept": f"{best.kept:.4f}"}),
        "divergence": f"{best.divergence:.5f}",
        "held_out_frames": str(best.frames),
    }
    if not runs:
        return Calibration(trials.fit(crossing, best.presets, about), points, best)
    *followed, last = [cross(point, recipe, head, run, show) for run in runs]
    show("fitting to frames that follow each other")
    profile = trials.fit(crossing, best.presets, about, followed)
    return Calibration(profile, points, best, _streams(network, profile, last, tail))


def _streams(network: Network, profile: Profile, run: Crossing, tail: Half) -> list[tuple[int, Point]]:
    task = make_task(network.model, Wanted())
    outputs = joined([tail(tuple(each[None] for each in frame)) for frame in zip(*run, strict=True)])
    codec = CalibratedInter(profile)
    return [
        (
            sticky,
            measure(
                codec.with_options(**codec.options() | {"sticky": sticky}).for_stream(),
                run,
                outputs,
                tail,
                task,
                split_point=network.point.name,
                fingerprint=network.model.fingerprint,
                reader=codec.for_stream(),
            ),
        )
        for sticky in STICKY
    ]
