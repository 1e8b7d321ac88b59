"""What `python -m bench rate` compares: the one list of split points, codecs and recipes.

The recipes of a split point spread a line of costs; which of them to use is decided by `python -m edge calibrate`, on frames of
its own.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, TypeVar

from edge.calibration.fit import Preset
from shared.codecs import plugin_codecs
from shared.codecs.calibrated.grid import grid_shape
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.network.partition import Partition, SplitPoint

_Any = TypeVar("_Any")

CALIBRATED = "calibrated"
PICTURE_FAMILIES = ("jpeg 4:2:0", "jpeg 4:4:4", "webp")
"""Lossy picture codecs: those that somebody who counts bytes would send instead."""

_PICTURES: Mapping[str, Sequence[str]] = {
    "jpeg 4:2:0": [f"jpeg:quality={q},subsampling=2" for q in (50, 75, 85, 90, 95)],
    "jpeg 4:4:4": [f"jpeg:quality={q},subsampling=0" for q in (75, 85, 90, 95)],
    "webp": [f"webp:quality={q},method=4" for q in (50, 75, 85, 90, 95)],
    "png": ["png:compress_level=9"],
}
_TENSORS = ("float16", "int8", "int8+zstd")

_SPLIT_POINTS: Mapping[str, tuple[str, ...]] = {
    "resnet50": ("layer2", "layer3", "layer4", "avgpool"),
    "mobilenet_v2": ("features.6", "features.13", "features.16", "features", "flatten"),
    "efficientnet_b0": ("features.3", "features.5", "features.6", "features", "flatten"),
}
_MAX_STAGE_ROWS = 28
"""Of a network that is not listed: tensors of more rows than this are larger than any picture of them."""

_STEPS: Mapping[tuple[str, str], Sequence[float]] = {
    ("resnet50", "layer2"): (1.2, 1.6, 2.2, 3.0),
    ("resnet50", "layer3"): (1.4, 1.8, 2.3, 2.8),
    ("resnet50", "layer4"): (0.4, 0.6, 0.85, 1.2),
    ("resnet50", "avgpool"): (0.4, 0.6, 0.85, 1.2),
}
_OTHER_STEPS = (0.2, 0.3, 0.5, 0.8)
_OTHER_LEVELS = 32
"""Enough for signed tensors at the finest step; what is not used costs nothing."""


@dataclass(frozen=True)
class Setting:
    """One way for a frame to travel. Either `spec` or `recipe` is given."""

    split_point: str
    family: str
    """What one line of the plot connects: the same codec at another quality."""
    spec: str | None = None
    """As `--codec` takes it."""
    recipe: Preset | None = None
    """What a profile is fitted by."""

    @property
    def name(self) -> str:
        """The codec's options, or what of the recipe is not as usual."""
        if self.recipe is None:
            return (self.spec or "").partition(":")[2]
        usual = replace(Preset(step=self.recipe.step), levels=-1)
        given = {field.name: getattr(self.recipe, field.name) for field in fields(Preset)}
        return ",".join(
            f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in given.items()
            if name == "step" or value != getattr(usual, name)
        )


def split_points(architecture: str, partition: Partition) -> tuple[str, ...]:
    """Where this network is cut if nobody says."""
    return _SPLIT_POINTS.get(architecture) or stage_ends(list(partition.points.values()))


def stage_ends(points: Sequence[SplitPoint]) -> tuple[str, ...]:
    """The last and smallest tensor of each resolution: in an unknown network the nearest to what people call a stage."""
    found: dict[tuple[int, int], SplitPoint] = {}
    for point in points:
        if point.name in (INPUT, OUTPUT):
            continue
        rows, columns, _ = grid_shape(point.shape)
        if rows > _MAX_STAGE_ROWS:
            continue
        known = found.get((rows, columns))
        if known is None or point.elements <= known.elements:
            found[rows, columns] = point
    return tuple(point.name for point in found.values())


def settings(architecture: str, split_point: str, *, quick: bool) -> list[Setting]:
    """All ways for a frame to travel from this split point; of each kind the first and the last if it has to be quick."""
    if split_point == INPUT:
        return [
            Setting(INPUT, family, spec=spec)
            for family, specs in _PICTURES.items()
            for spec in _some(specs, quick=quick)
        ] + _plugins(split_point, "picture")
    plain = [Setting(split_point, codec, spec=codec) for codec in _TENSORS] + _plugins(split_point, "tensor")
    known = _STEPS.get((architecture, split_point))
    recipes = (
        [Preset(step=step) for step in known]
        if known
        else [Preset(step=step, levels=_OTHER_LEVELS) for step in _OTHER_STEPS]
    )
    return plain + [Setting(split_point, CALIBRATED, recipe=recipe) for recipe in _some(recipes, quick=quick)]


def _plugins(split_point: str, carries: str) -> list[Setting]:
    """The codecs of other packages, each with its own options as they are."""
    names = [codec.name for codec in plugin_codecs() if codec.carries == carries]
    return [Setting(split_point, name, spec=name) for name in names]


def _some(every: Sequence[_Any], *, quick: bool) -> Sequence[_Any]:
    return [every[0], every[-1]] if quick and len(every) > 1 else every
