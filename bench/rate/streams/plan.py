"""What `python -m bench rate --clip` compares: the one list of split points, codecs and qualities for streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from bench.rate.plan import CALIBRATED, split_points, steps
from shared.codecs import make_codec
from shared.errors import SettingsError
from shared.network.partition import INPUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from shared.network.partition import SplitPoint

_Any = TypeVar("_Any")

INTER = "calibrated-inter"
EDGE_ONLY = "edge-only"
CAMERA, NETWORK = "camera", "network"
"""Whose size a picture has that travels: the camera's own, which the cloud resizes, or the network's."""

_STICKY = (0, 25, 50)
"""Hysteresis of `calibrated-inter`, in hundredths of a step."""
_VIDEO: Mapping[str, Mapping[str, Sequence[int]]] = {
    "h264": {CAMERA: (13, 18, 22, 26), NETWORK: (3, 8, 13, 18)},
    "h265": {CAMERA: (14, 18, 22, 26), NETWORK: (4, 8, 12, 18)},
    "av1": {CAMERA: (2, 6, 12, 24), NETWORK: (2, 6, 12, 24)},
}
"""The qualities (CRF) of each video codec at each size."""
_PICTURES: Mapping[str, Sequence[str]] = {
    "jpeg": [f"quality={quality},subsampling=0" for quality in (75, 90, 95)],
    "webp": [f"quality={quality},method=4" for quality in (75, 95)],
}
_POINTS: Mapping[str, tuple[str, ...]] = {"resnet50": ("layer3", "avgpool")}
_ORIENTATION_STEP: Mapping[tuple[str, str], tuple[float, ...]] = {("resnet50", "avgpool"): (0.6,)}
_MORE_STEPS: Mapping[tuple[str, str], tuple[float, ...]] = {("resnet50", "layer3"): (3.6,)}
"""A stream's coarser steps: what stands still costs little, so more of the line is of use."""


@dataclass(frozen=True)
class Setting:
    """One way for a stream to travel."""

    split_point: str
    codec: str
    options: str = ""
    """As they stand behind the colon of `--codec`."""
    size: str = ""
    """CAMERA or NETWORK, of a picture."""
    step: float | None = None
    """The step size that a profile is fitted with; None for a codec that needs none."""

    @property
    def spec(self) -> str:
        """As `--codec` takes it."""
        return f"{self.codec}:{self.options}" if self.options else self.codec

    @property
    def line(self) -> str:
        """What one line of the plot connects: the same codec at another quality."""
        sticky = [each for each in self.options.split(",") if each.startswith("sticky=")]
        at = "" if self.split_point == INPUT else f"{self.split_point} "
        whose = f", {self.size}'s size" if self.size else ""
        return " ".join([f"{at}{self.codec}", *sticky]) + whose

    @property
    def name(self) -> str:
        """What is set, for people."""
        step = [] if self.step is None else [f"step={self.step:g}"]
        return ",".join([*step, *([self.options] if self.options else [])])


def stream_points(architecture: str, points: Iterable[SplitPoint]) -> tuple[str, ...]:
    """Where this network is cut by default."""
    return _POINTS.get(architecture) or split_points(architecture, points)


def settings(
    architecture: str, points: Sequence[str], *, interval: int, quick: bool
) -> tuple[list[Setting], dict[str, str]]:
    """All ways for a stream to travel, and why this build lacks some of their codecs, by name.

    `interval`: frames from one keyframe to the next. If `quick`, only the first and last quality of each codec.
    """
    absent = {name: why for name in (*_VIDEO, INTER) if (why := _missing(name))}
    found = [
        Setting(INPUT, codec, f"quality={quality},interval={interval}", size)
        for codec, sizes in _VIDEO.items()
        if codec not in absent
        for size, qualities in sizes.items()
        for quality in _some(qualities, quick=quick)
    ]
    found += [
        Setting(INPUT, codec, options, NETWORK)
        for codec, every in _PICTURES.items()
        for options in _some(every, quick=quick)
    ]
    for point in points:
        found += _tensors(architecture, point, interval, inter=INTER not in absent, quick=quick)
    return found, absent


def _missing(name: str) -> str:
    """Why there is no such codec here; empty if there is one."""
    try:
        make_codec(name)
    except SettingsError as error:
        return str(error)
    return ""


def _tensors(architecture: str, point: str, interval: int, *, inter: bool, quick: bool) -> list[Setting]:
    place = (architecture, point)
    every = _ORIENTATION_STEP.get(place) or (*steps(*place), *_MORE_STEPS.get(place, ()))
    chosen = _some(every, quick=quick)
    found = [Setting(point, CALIBRATED, step=step) for step in chosen]
    if inter:
        found += [
            Setting(point, INTER, f"interval={interval},sticky={sticky}", step=step)
            for sticky in _some(_STICKY, quick=quick)
            for step in chosen
        ]
    return found


def _some(every: Sequence[_Any], *, quick: bool) -> Sequence[_Any]:
    return [every[0], every[-1]] if quick and len(every) > 1 else every
