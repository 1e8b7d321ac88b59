"""From pictures to a profile, and what it costs and gives.

pictures ─► head ─► tensors ─┬─► three quarters are fitted to, with several presets
                             └─► one quarter is coded, decoded and finished by the tail: bytes against agreement
The preset that is the cheapest at the wanted agreement is fitted to all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.calibration.balance import balanced
from edge.calibration.fit import coarser, finer, fit_crossing, presets
from edge.calibration.importance import measure_importance
from edge.calibration.pictures import variants
from edge.calibration.point import choose, joined, measure
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge.calibration.fit import Preset
    from edge.calibration.point import Point
    from shared.codecs.calibrated.profile import Profile
    from shared.engines.half import Half
    from shared.engines.load import Network

MIN_PICTURES = 24
_HELD_OUT = 4
_FURTHER = 4
"""Presets beyond the usual ones that are tried, if these are all too coarse or all finer than need be."""


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

    `target`: how much of the unsplit network's answers shall be kept, 0 … 1: for classes, the share of pictures with its top class;
    for boxes, F1. `show(step, done, total)` is called as the work goes on.
    """
    point, engine = network.point, network.engine
    head, tail = engine.head(point), engine.tail(point)
    # The last quarter, not every fourth: neighbours in a video are alike.
    fitted = len(pictures) - len(pictures) // _HELD_OUT
    crossing = cross(network, head, pictures, show)
    held_out = [tensors[fitted:] for tensors in crossing]
    task = make_task(network.model, Wanted())
    outputs = joined([tail(tuple(each[None] for each in frame)) for frame in zip(*held_out, strict=True)])
    extra = cross(network, head, variants(pictures[:fitted]), show)
    show("measuring importance")
    used = [tensors[:fitted] for tensors in crossing]
    importances = measure_importance(network.bundle, point, tail, used)

    def fit(
        given: list[list[NDArray[np.float32]]], chosen: Sequence[Preset], about: dict[str, str]
    ) -> Profile:
        return fit_crossing(
            [tensors + more for tensors, more in zip(given, extra, strict=True)],
            chosen,
            fingerprint=network.model.fingerprint,
            split_point=point.name,
            importances=importances,
            about=about,
            given=len(given[0]),
        )

    points: list[Point] = []
    plain = presets(point.shapes, signed=[signed(tensors) for tensors in used], importances=importances)

    def try_on(chosen: Sequence[Preset]) -> Point:
        show("fitting and measuring", len(points), max(len(plain), len(points) + 1) + 1)
        chosen = balanced(used, chosen, importances)
        return measure(fit(used, chosen, {}), chosen, held_out, outputs, tail, task)

    for chosen in plain:
        points += [try_on(chosen)]
    for _ in range(_FURTHER):
        if max(each.agreement for each in points) < target:
            points.insert(0, try_on(finer(points[0].presets)))
        elif points[-1].expected and points[-1].agreement >= target:
            points.append(try_on(coarser(points[-1].presets)))
        else:
            break
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
    return Calibration(fit(crossing, best.presets, about), points, best)


def cross(
    network: Network,
    head: Half,
    pictures: Sequence[NDArray[np.uint8]],
    show: Callable[..., object] = lambda *_: None,
) -> list[list[NDArray[np.float32]]]:
    """For each tensor of the crossing those of all pictures, without the batch dimension."""
    crossing: list[list[NDArray[np.float32]]] = [[] for _ in network.point.shapes]
    for number, picture in enumerate(pictures):
        show("running the head", number, len(pictures))
        found = head((network.model.recipe.normalise(picture)[None],))
        for tensors, tensor in zip(crossing, found, strict=True):
            tensors.append(np.array(tensor[0]))
    return crossing


def signed(tensors: Sequence[NDArray[np.float32]]) -> bool:
    """Whether no rectifier has made all values of these tensors 0 or more."""
    return min(float(tensor.min()) for tensor in tensors) < 0
