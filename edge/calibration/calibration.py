"""From pictures to a profile, and what it costs and gives.

pictures ─► head ─► tensors ─┬─► three quarters are fitted to, at several step sizes
                             └─► one quarter is coded, decoded and finished by the tail: bytes against agreement
The step size that is the cheapest at the wanted agreement is fitted to all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.calibration.curve import Point, choose, measure
from edge.calibration.fit import fit_profile
from edge.calibration.frames import variants
from edge.calibration.importance import measure_importance
from edge.calibration.recipes import recipes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge.calibration.fit import Recipe
    from shared.codecs.calibrated.profile import Profile
    from shared.load import Network

MIN_PICTURES = 24
_HELD_OUT = 4


@dataclass(frozen=True)
class Calibration:
    """A profile, and the curve that it was chosen from."""

    profile: Profile
    points: Sequence[Point]
    """Every step size that was tried, from fine to coarse, measured on pictures that were not fitted to."""
    chosen: Point
    """The one that the profile has."""


def calibrate_on(
    network: Network,
    pictures: Sequence[NDArray[np.uint8]],
    target: float,
    show: Callable[..., object] = lambda *_: None,
) -> Calibration:
    """Fit a profile for `network.point` to prepared pictures, (crop, crop, 3) uint8 RGB, at least MIN_PICTURES.

    `target`: share of pictures that shall keep the unsplit network's top class, 0 … 1. `show(step, done, total)` is told how
    far it is.
    """
    point, engine = network.point, network.engine
    head, tail = engine.head(point), engine.tail(point)

    def cross(pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        found = []
        for number, picture in enumerate(pictures):
            show("running the head", number, len(pictures))
            found.append(np.array(head(network.model.recipe.normalise(picture)[None])[0]))
        return found

    # The last quarter, not every fourth: neighbours in a video are alike.
    fitted = len(pictures) - len(pictures) // _HELD_OUT
    tensors = cross(pictures)
    held_out = tensors[fitted:]
    logits = np.concatenate([np.array(tail(tensor[None])) for tensor in held_out])
    extra = cross(variants(pictures[:fitted]))
    show("measuring importance")
    importance = measure_importance(network.partition, point, tensors[:fitted])

    def fit(tensors: list[NDArray[np.float32]], recipe: Recipe, about: dict[str, str]) -> Profile:
        return fit_profile(
            tensors,
            recipe,
            fingerprint=network.model.fingerprint,
            split_point=point.name,
            importance=importance,
            about=about,
        )

    points = []
    signed = min(float(tensor.min()) for tensor in tensors[:fitted]) < 0
    tried = recipes(point.shape, signed=signed, pooled=importance.pooled)
    for number, recipe in enumerate(tried):
        show("fitting and measuring", number, len(tried) + 1)
        points.append(measure(fit(tensors[:fitted] + extra, recipe, {}), recipe, held_out, logits, tail))
    chosen = choose(points, target)
    show("fitting and measuring", len(tried), len(tried) + 1)
    about = {
        "model": network.model.name,
        "frame_bytes": f"{chosen.frame_bytes:.0f}",
        "agreement": f"{chosen.agreement:.4f}",
        "divergence": f"{chosen.divergence:.5f}",
        "held_out_frames": str(chosen.frames),
    }
    return Calibration(fit(tensors + extra, chosen.recipe, about), points, chosen)
