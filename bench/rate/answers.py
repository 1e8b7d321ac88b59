"""What every way for a frame to travel costs and does to the answers, for any network and task, on a clip or a folder of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.rate.plan import CALIBRATED, Setting, settings
from edge.calibration.pictures import Footage, variants
from edge.calibration.point import joined, measure
from edge.calibration.trials import Trials, cross
from shared.codecs import make_codec
from shared.network.partition import INPUT, OUTPUT
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from bench.harness.network import Network
    from edge.calibration.point import Point
    from shared.engines import Engine
    from shared.engines.half import Tensors
    from shared.network.partition import SplitPoint
    from shared.network.recipe import Recipe

TARGET = 0.95
"""The agreement that the curve of presets is taken to, if it can be reached."""
PLAIN = "int8+zstd"
"""What an uncalibrated tensor costs, for comparison."""
LEAST = 12
_BATCH = 8


@dataclass(frozen=True, eq=False)
class Pictures:
    """Prepared pictures, each (height, width, 3) uint8 RGB."""

    name: str
    calibrating: Sequence[NDArray[np.uint8]]
    measured: Sequence[NDArray[np.uint8]]

    @classmethod
    def of(cls, source: str, recipe: Recipe, most: int) -> Pictures:
        """The first half of a clip or folder calibrates, the second is measured, at most `most` of each, evenly spread.

        Raises SourceError; ValueError for too few.
        """
        footage = Footage(source, open_timeout_s=10, read_timeout_s=10)
        every = footage.read(recipe, 2 * most)
        half = len(every) // 2
        if half < LEAST:
            raise ValueError(f"{source} has {len(every)} pictures; at least {2 * LEAST} are needed")
        return cls(footage.name, every[:half], every[half:])


@dataclass(frozen=True, eq=False)
class Way:
    """One setting and what it costs and gives."""

    setting: Setting
    point: SplitPoint
    found: Point

    @property
    def name(self) -> str:
        """The codec's options, or the step size of each tensor."""
        return f"step={self.found.step}" if self.found.presets else self.setting.name


class Study:
    """All ways, one split point after another."""

    def __init__(self, network: Network, engine: Engine, pictures: Pictures, *, quick: bool) -> None:
        self._network, self._engine, self._pictures, self._quick = network, engine, pictures, quick
        self.task = make_task(network.model, Wanted())
        self._whole = engine.head(network.partition.point(OUTPUT))
        self._outputs = self._answers(pictures.measured)

    def at(self, point: SplitPoint, show: Callable[[str], object]) -> list[Way]:
        """The ways from one split point, from many bytes to few of each codec."""
        return self._pictures_at(point, show) if point.name == INPUT else self._tensors_at(point, show)

    def _pictures_at(self, point: SplitPoint, show: Callable[[str], object]) -> list[Way]:
        ways = []
        for setting in settings(self._network.model.name, INPUT, quick=self._quick):
            show(f"{setting.family} {setting.name}")
            found = self._measured(
                setting, [list(self._pictures.measured)], lambda given: self._run(given[0])
            )
            ways.append(Way(setting, point, found))
        return ways

    def _tensors_at(self, point: SplitPoint, show: Callable[[str], object]) -> list[Way]:
        recipe = self._network.model.recipe
        head, tail = self._engine.head(point), self._engine.tail(point)
        pictures = self._pictures
        show("heads")
        crossing = cross(point, recipe, head, pictures.calibrating)
        extra = cross(point, recipe, head, variants(pictures.calibrating))
        held_out = cross(point, recipe, head, pictures.measured)
        plain = Setting(point.name, PLAIN, spec=PLAIN)
        ways = [Way(plain, point, self._measured(plain, held_out, tail))]
        show("importance")
        trials = Trials(self._network.bundle, point, tail, crossing, extra)
        usual = trials.presets()
        points = trials.points(
            held_out,
            self._outputs,
            None if self._quick else TARGET,
            lambda step, done, _: show(f"{step}, {done}"),
            usual[:: len(usual) - 1] if self._quick else usual,
        )
        return ways + [
            Way(Setting(point.name, CALIBRATED, preset=found.presets[0]), point, found) for found in points
        ]

    def _measured(
        self,
        setting: Setting,
        crossing: Sequence[Sequence[NDArray[np.generic]]],
        tail: Callable[[Tensors], Tensors],
    ) -> Point:
        assert setting.spec is not None
        return measure(
            make_codec(setting.spec).for_stream(),
            crossing,
            self._outputs,
            tail,
            self.task,
            split_point=setting.split_point,
            fingerprint=self._network.model.fingerprint,
        )

    def _answers(self, pictures: Sequence[NDArray[np.uint8]]) -> Tensors:
        return joined(
            [self._run(pictures[start : start + _BATCH]) for start in range(0, len(pictures), _BATCH)]
        )

    def _run(self, pictures: Sequence[NDArray[Any]] | NDArray[Any]) -> Tensors:
        """The unsplit network's outputs for some pictures."""
        normalise = self._network.model.recipe.normalise
        return self._whole((np.stack([normalise(picture) for picture in pictures]),))
