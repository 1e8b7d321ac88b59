"""All settings of one split point: profiles are fitted, then every frame is sent in all ways before the next one.

So no more than the calibrating tensors and a few others are in memory: at layer2 of ResNet-50 each takes 1.6 MB.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from bench.rate.trial import Outcome, Trial
from edge.calibration.fit import fit_profile
from edge.calibration.importance import measure_importance
from edge.calibration.pictures import variants
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from bench.harness.network import Network
    from bench.rate.photographs import Pictures
    from bench.rate.plan import Setting
    from shared.codecs.calibrated.profile import Profile
    from shared.engines import Engine

BATCH = 8
"""Frames in one run of a tail."""


class Cut:
    """One split point, its profiles fitted."""

    def __init__(
        self,
        name: str,
        settings: Sequence[Setting],
        network: Network,
        engine: Engine,
        calibrating: Pictures,
        step: Callable[[str], object],
    ) -> None:
        """Raises SplitPointError, EngineError; ValueError where several tensors cross."""
        self._network = network
        self._point = network.partition.point(name)
        if len(self._point.shapes) > 1:
            raise ValueError(
                f"{len(self._point.shapes)} tensors cross at {name}; photographs are sent where one does: use --source"
            )
        self._head, self._tail = engine.head(self._point), engine.tail(self._point)
        self.fit_s: list[float] = []
        """Seconds that each profile took, without the importance of channels, which they share."""
        profiles = self._fit(settings, calibrating, step)
        self._trials = [
            Trial(setting, network, self._tail, profile)
            for setting, profile in zip(settings, profiles, strict=True)
        ]

    def measure(
        self, pictures: Pictures, unsplit: NDArray[np.float32], step: Callable[[str], object]
    ) -> list[Outcome]:
        """An outcome for each setting. `unsplit` (n, K) are the whole network's logits for `pictures`."""
        top = unsplit.argmax(1)
        outcomes = [Outcome(trial.setting, top, pictures.labels) for trial in self._trials]
        for start in range(0, len(pictures), BATCH):
            step(f"{pictures.name}, {start} of {len(pictures)} frames")
            batch = pictures.pictures[start : start + BATCH]
            arrays = batch if self._point.name == INPUT else list(self._crossing(batch))
            for trial, outcome in zip(self._trials, outcomes, strict=True):
                trial.run(arrays, unsplit[start : start + BATCH], outcome)
        return outcomes

    def _fit(
        self, settings: Sequence[Setting], calibrating: Pictures, step: Callable[[str], object]
    ) -> list[Profile | None]:
        """A profile for each setting that has a preset."""
        if not any(setting.preset for setting in settings):
            return [None] * len(settings)
        step("importance of channels and positions")
        tensors = list(self._crossing(calibrating.pictures))
        (importance,) = measure_importance(self._network.bundle, self._point, self._tail, [tensors])
        extra = list(self._crossing(variants(calibrating.pictures)))  # as `python -m edge calibrate` does

        def fit(setting: Setting) -> Profile | None:
            if setting.preset is None:
                return None
            step(f"fitting {setting.name}")
            start = time.perf_counter()
            profile = fit_profile(
                tensors + extra,
                setting.preset,
                fingerprint=self._network.model.fingerprint,
                split_point=self._point.name,
                importance=importance,
                given=len(tensors),
            )
            self.fit_s.append(time.perf_counter() - start)
            return profile

        return [fit(setting) for setting in settings]

    def _crossing(self, pictures: Sequence[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """The crossing of each picture."""
        normalise = self._network.model.recipe.normalise
        for picture in pictures:
            (crossing,) = self._head((normalise(picture)[None],))
            yield crossing[0]


def answers(network: Network, engine: Engine, pictures: Pictures) -> NDArray[np.float32]:
    """(n, K) logits of the unsplit network, its first output."""
    whole = engine.head(network.partition.point(OUTPUT))
    normalise = network.model.recipe.normalise
    batches = (pictures.pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH))
    return np.concatenate([whole((np.stack([*map(normalise, batch)]),))[0] for batch in batches])
