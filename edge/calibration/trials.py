"""Profiles of one split point, of all presets that are worth trying, and what each costs and gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.calibration.balance import balanced
from edge.calibration.fit import coarser, finer, fit_crossing, presets
from edge.calibration.fitting.frames import Frames
from edge.calibration.importance import measure_importance
from edge.calibration.point import measure
from shared.codecs.calibrated.codec import Calibrated
from shared.errors import ModelError
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge.calibration.fit import Preset
    from edge.calibration.fitting.inter import Runs
    from edge.calibration.point import Point
    from shared.codecs.calibrated.profile import Profile
    from shared.engines.half import Half, Tensors
    from shared.network.bundle import Bundle
    from shared.network.partition import SplitPoint
    from shared.network.recipe import Recipe

    Crossing = Sequence[Sequence[NDArray[np.float32]]]
    """For each tensor those of all frames, without the batch dimension."""

_HALVINGS = 3
"""Trials that halving six presets takes."""
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
        self._frames: list[Frames] | None = None
        self._first: Profile | None = None
        """The first trial's, whose contexts predict for the others."""

    def fit(
        self,
        crossing: Crossing,
        chosen: Sequence[Preset],
        about: dict[str, str] | None = None,
        runs: Sequence[Crossing] = (),
    ) -> Profile:
        """A profile fitted to these crossings and the variants; and to `runs` of frames that follow each other, if there are any."""
        self._frames = None
        of_tensors = [[run[number] for run in runs] for number in range(len(crossing))] if runs else None
        return self._fitted(self._with_variants(crossing), len(crossing[0]), chosen, about, runs=of_tensors)

    def _tried(self, chosen: Sequence[Preset]) -> Profile:
        """A quick fit to the frames to fit to."""
        if self._frames is None:
            self._frames = self._with_variants(self._crossing)
        found = self._fitted(self._frames, len(self._crossing[0]), chosen, quick=True, like=self._first)
        self._first = self._first or found
        return found

    def _with_variants(self, crossing: Crossing) -> list[Frames]:
        return [
            Frames.of([*tensors, *more], pooled=importance.pooled)
            for tensors, more, importance in zip(crossing, self._extra, self._importances, strict=True)
        ]

    def _fitted(
        self,
        frames: Sequence[Frames],
        given: int,
        chosen: Sequence[Preset],
        about: dict[str, str] | None = None,
        *,
        quick: bool = False,
        like: Profile | None = None,
        runs: Sequence[Runs] | None = None,
    ) -> Profile:
        return fit_crossing(
            frames,
            chosen,
            fingerprint=self._bundle.model.fingerprint,
            split_point=self._point.name,
            importances=self._importances,
            about=about,
            given=given,
            quick=quick,
            like=like,
            runs=runs,
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
        """What presets cost and give, from fine to coarse: the `plain` ones if there are any, else those between which the `target` is.

        `held_out`: of other frames; `outputs`, each (N, …), are the unsplit network's for them. If all usual presets are too coarse for a
        target, or all finer than it needs, further ones are tried.
        """
        usual = self.presets() if plain is None else plain
        points: list[Point] = []

        def tried(chosen: Sequence[Preset]) -> Point:
            show(
                "fitting and measuring",
                len(points),
                max(len(usual) if plain else _HALVINGS, len(points) + 1) + 1,
            )
            chosen = balanced(self._crossing, chosen, self._importances)
            return measure(
                Calibrated(self._tried(chosen)),
                held_out,
                outputs,
                self._tail,
                make_task(self._bundle.model, Wanted()),
                split_point=self._point.name,
                fingerprint=self._bundle.model.fingerprint,
                presets=chosen,
            )

        if plain is None and target is not None:
            points += _between(usual, tried, target)
        else:
            points += [tried(chosen) for chosen in usual]
        for _ in range(_FURTHER if target is not None else 0):
            assert target is not None
            if max(each.agreement for each in points) < target:
                points.insert(0, tried(finer(points[0].presets)))
            elif points[-1].expected and points[-1].agreement >= target:
                points.append(tried(coarser(points[-1].presets)))
            else:
                break
        return points


def _between(
    usual: Sequence[tuple[Preset, ...]], tried: Callable[[Sequence[Preset]], Point], target: float
) -> list[Point]:
    """Points from fine to coarse by halving: the finest that misses the target is among them, and the coarsest that reaches it."""
    found: dict[int, Point] = {}
    low, high = 0, len(usual) - 1
    while low <= high:
        middle = (low + high) // 2
        found[middle] = tried(usual[middle])
        if found[middle].agreement >= target:
            low = middle + 1
        else:
            high = middle - 1
    return [point for _, point in sorted(found.items())]


def cross(
    point: SplitPoint,
    recipe: Recipe,
    head: Half,
    pictures: Sequence[NDArray[np.uint8]],
    show: Callable[..., object] = lambda *_: None,
) -> list[list[NDArray[np.float32]]]:
    """For each tensor at `point` those of all pictures, without the batch dimension.

    Raises ModelError where the head gives no finite numbers, to which nothing can be fitted.
    """
    crossing: list[list[NDArray[np.float32]]] = [[] for _ in point.shapes]
    for number, picture in enumerate(pictures):
        show("running the head", number, len(pictures))
        found = head((recipe.normalise(picture)[None],))
        for tensors, tensor in zip(crossing, found, strict=True):
            if not np.isfinite(tensor).all():
                raise ModelError(
                    f"picture {number + 1} of {len(pictures)} gives NaN or infinity at {point.name}; accepted: finite numbers"
                )
            tensors.append(np.array(tensor[0]))
    return crossing


def signed(tensors: Sequence[NDArray[np.float32]]) -> bool:
    """Whether no rectifier has made all values of these tensors 0 or more."""
    return min(float(tensor.min()) for tensor in tensors) < 0
