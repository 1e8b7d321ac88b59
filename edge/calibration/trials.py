"""Profiles of one split point, of all presets that are worth trying, and what each costs and gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.calibration.balance import balanced
from edge.calibration.fit import coarser, finer, fit_crossing, presets
from edge.calibration.importance import measure_importance
from edge.calibration.point import measure
from shared.codecs.calibrated.codec import Calibrated
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge.calibration.fit import Preset
    from edge.calibration.point import Point
    from shared.codecs.calibrated.profile import Profile
    from shared.engines.half import Half, Tensors
    from shared.network.bundle import Bundle
    from shared.network.partition import SplitPoint
    from shared.network.recipe import Recipe

    Crossing = Sequence[Sequence[NDArray[np.float32]]]
    """For each tensor those of all frames, without the batch dimension."""

_FURTHER = 4
"""Presets beyond the usual ones that are tried, if these are all too coarse or all finer than need be."""


class Trials:
    """Fits to the crossings of some frames. Its importance is measured once, for all presets."""

    def __init__(
        self, bundle: Bundle, point: SplitPoint, tail: Half, crossing: Crossing, extra: Crossing
    ) -> None:
        """`crossing`: of the frames to fit to, in the order of time; `extra`: of variants of them."""
        self._bundle, self._point, self._tail = bundle, point, tail
        self._crossing, self._extra = crossing, extra
        self._importances = measure_importance(bundle, point, tail, crossing)

    def fit(
        self, crossing: Crossing, chosen: Sequence[Preset], about: dict[str, str] | None = None
    ) -> Profile:
        """A profile fitted to these crossings and the variants."""
        return fit_crossing(
            [[*tensors, *more] for tensors, more in zip(crossing, self._extra, strict=True)],
            chosen,
            fingerprint=self._bundle.model.fingerprint,
            split_point=self._point.name,
            importances=self._importances,
            about=about,
            given=len(crossing[0]),
        )

    def presets(self) -> list[tuple[Preset, ...]]:
        """The usual ones, from fine to coarse."""
        return presets(
            self._point.shapes,
            signed=[signed(tensors) for tensors in self._crossing],
            importances=self._importances,
        )

    def points(
        self,
        held_out: Crossing,
        outputs: Tensors,
        target: float | None,
        show: Callable[..., object] = lambda *_: None,
        plain: Sequence[tuple[Preset, ...]] | None = None,
    ) -> list[Point]:
        """What presets cost and give, from fine to coarse: the `plain` ones (the usual, if not said), and further ones up to a `target`.

        `held_out`: of other frames; `outputs`, each (N, …), are the unsplit network's for them.
        """
        plain = self.presets() if plain is None else plain
        points: list[Point] = []

        def tried(chosen: Sequence[Preset]) -> Point:
            show("fitting and measuring", len(points), max(len(plain), len(points) + 1) + 1)
            chosen = balanced(self._crossing, chosen, self._importances)
            return measure(
                Calibrated(self.fit(self._crossing, chosen)),
                held_out,
                outputs,
                self._tail,
                make_task(self._bundle.model, Wanted()),
                split_point=self._point.name,
                fingerprint=self._bundle.model.fingerprint,
                presets=chosen,
            )

        for chosen in plain:
            points += [tried(chosen)]
        for _ in range(_FURTHER if target is not None else 0):
            assert target is not None
            if max(each.agreement for each in points) < target:
                points.insert(0, tried(finer(points[0].presets)))
            elif points[-1].expected and points[-1].agreement >= target:
                points.append(tried(coarser(points[-1].presets)))
            else:
                break
        return points


def cross(
    point: SplitPoint,
    recipe: Recipe,
    head: Half,
    pictures: Sequence[NDArray[np.uint8]],
    show: Callable[..., object] = lambda *_: None,
) -> list[list[NDArray[np.float32]]]:
    """For each tensor at `point` those of all pictures, without the batch dimension."""
    crossing: list[list[NDArray[np.float32]]] = [[] for _ in point.shapes]
    for number, picture in enumerate(pictures):
        show("running the head", number, len(pictures))
        found = head((recipe.normalise(picture)[None],))
        for tensors, tensor in zip(crossing, found, strict=True):
            tensors.append(np.array(tensor[0]))
    return crossing


def signed(tensors: Sequence[NDArray[np.float32]]) -> bool:
    """Whether no rectifier has made all values of these tensors 0 or more."""
    return min(float(tensor.min()) for tensor in tensors) < 0
