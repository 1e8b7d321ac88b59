"""What `python -m bench rate` compares: the one list of split points, codecs and presets.

The presets of a split point spread a line of costs; `python -m edge calibrate` decides which of them to use, on frames of its
own.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeVar

from edge.calibration.fit import Preset
from shared.codecs import known_codecs
from shared.codecs.calibrated.grid import grid_shape
from shared.network.partition import INPUT
from shared.network.stage_ends import stage_ends

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from shared.network.partition import SplitPoint

_Any = TypeVar("_Any")

CALIBRATED = "calibrated"
_PICTURES: Mapping[str, Sequence[str]] = {
    "jpeg 4:2:0": [f"jpeg:quality={q},subsampling=2" for q in (50, 75, 85, 90, 95)],
    "jpeg 4:4:4": [f"jpeg:quality={q},subsampling=0" for q in (75, 85, 90, 95)],
    "webp": [f"webp:quality={q},method=4" for q in (50, 75, 85, 90, 95)],
    "png": ["png:compress_level=9"],
}
"""The options with which a picture codec is measured; one that is not listed is measured as it is registered."""
LOSSLESS_PICTURES = frozenset({"png", "raw"})
"""Not candidates for the best picture codec: they take too many bytes, whatever their agreement."""

_SPLIT_POINTS: Mapping[str, tuple[str, ...]] = {
    "resnet50": ("layer2", "layer3", "layer4", "avgpool"),
    "mobilenet_v2": ("features.6", "features.13", "features.16", "features", "flatten"),
    "efficientnet_b0": ("features.3", "features.5", "features.6", "features", "flatten"),
}
_MAX_ROWS = 28
"""In a network that is not listed, a tensor of more rows than this is larger than any picture of it."""

_STEPS: Mapping[tuple[str, str], Sequence[float]] = {
    ("resnet50", "layer2"): (1.2, 1.6, 2.2, 3.0),
    ("resnet50", "layer3"): (1.4, 1.8, 2.3, 2.8),
    ("resnet50", "layer4"): (0.4, 0.6, 0.85, 1.2),
    ("resnet50", "avgpool"): (0.4, 0.6, 0.85, 1.2),
}
"""Step sizes of the quantiser."""
_OTHER_STEPS = (0.2, 0.3, 0.5, 0.8)


@dataclass(frozen=True)
class Setting:
    """One way for a frame to travel. Either `spec` or `preset` is given."""

    split_point: str
    family: str
    """What one line of the plot connects: the same codec at another quality."""
    spec: str | None = None
    """As `--codec` takes it."""
    preset: Preset | None = None
    """The preset that a profile is fitted with."""

    @property
    def name(self) -> str:
        """The codec's options, or what of the preset is not as usual."""
        if self.preset is None:
            return (self.spec or "").partition(":")[2]
        usual = Preset(step=self.preset.step)
        given = {field.name: getattr(self.preset, field.name) for field in fields(Preset)}
        return ",".join(
            f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in given.items()
            if name == "step" or value != getattr(usual, name)
        )


def split_points(architecture: str, points: Iterable[SplitPoint]) -> tuple[str, ...]:
    """Where this network is cut by default."""
    return _SPLIT_POINTS.get(architecture) or tuple(
        point.name
        for point in stage_ends(points)
        if len(point.shapes) == 1 and grid_shape(point.shape)[0] <= _MAX_ROWS
    )


def settings(architecture: str, split_point: str, *, quick: bool) -> list[Setting]:
    """All ways for a frame to travel from this split point; if `quick`, only the first and last quality of each codec."""
    if split_point == INPUT:
        listed = {spec.partition(":")[0] for specs in _PICTURES.values() for spec in specs}
        families = {**_PICTURES, **{name: [name] for name in _registered("picture") if name not in listed}}
        return [
            Setting(INPUT, family, spec=spec)
            for family, specs in families.items()
            for spec in _some(specs, quick=quick)
        ]
    presets = [Preset(step=step) for step in steps(architecture, split_point)]
    plain = [Setting(split_point, name, spec=name) for name in _registered("tensor") if name != CALIBRATED]
    return plain + [Setting(split_point, CALIBRATED, preset=preset) for preset in _some(presets, quick=quick)]


def steps(architecture: str, split_point: str) -> Sequence[float]:
    """Step sizes of the quantiser that are compared at this split point, from fine to coarse."""
    return _STEPS.get((architecture, split_point)) or _OTHER_STEPS


def _registered(carries: str) -> list[str]:
    """Codecs that code each picture or tensor alone; those of streams are compared by `bench rate --clip`."""
    return [codec.name for codec in known_codecs().values() if codec.carries == carries and not codec.inter]


def _some(every: Sequence[_Any], *, quick: bool) -> Sequence[_Any]:
    return [every[0], every[-1]] if quick and len(every) > 1 else every
