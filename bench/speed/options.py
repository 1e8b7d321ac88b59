"""What `python -m bench speed` measures, and how much of it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.harness.options import ReportOptions, SystemOptions, names, option, positive, weights_of

if TYPE_CHECKING:
    from bench.harness.system import Setup

SECTIONS = ("split", "engines", "stages", "clients", "footprint", "tls")
_OF_ANY_NETWORK = ("split", "stages", "tls")
"""The other sections know where ResNet-50 is cut."""
_BY_DEFAULT = ("split", "stages")
"""What is measured where one's own network is given."""
_POINTS, _QUICK_POINTS = ("input", "layer1", "layer2", "layer3", "layer4", "avgpool"), ("layer3",)
_NETWORK, _POINT = "resnet50", "layer3"


def _sections(text: str) -> tuple[str, ...]:
    given = names(text)
    unknown = [name for name in given if name not in SECTIONS]
    if unknown or not given:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown) or text!r}; accepted: {', '.join(SECTIONS)}")
    return tuple(name for name in SECTIONS if name in given)


@dataclass(frozen=True)
class SpeedOptions(SystemOptions, ReportOptions):
    """Measure the whole system on this machine: about ten minutes, with --quick about one; one network of yours: three."""

    command = "speed"

    model: str = option(
        "",
        "a bundle's folder, or whatever edge and cloud take: split and stages, in float32 unless told otherwise",
    )
    weights: str = option(
        "", "file, random or pretrained (default: the model's file of ../shared/weights, or random)"
    )
    only: tuple[str, ...] = option(SECTIONS, "sections to measure", type=_sections)
    rounds: int = option(3, "of every comparison", quick=1, type=positive)
    frames: int = option(80, "per split point and round", quick=10, type=positive)
    frames_growth: int = option(2000, "for the growth of memory", quick=24, type=positive)
    warm_frames: int = option(16, quick=4)
    split_points: tuple[str, ...] = option(
        (),
        "in `split` (default: the stages of ResNet-50; of another network the pictures, its default one, and one of several tensors)",
    )
    stage_point: str = option(
        "",
        "in `stages` and `tls` (default: the only one of --split-points, or layer3, or another network's default one)",
    )
    codec: str = option("int8+zstd", "everywhere but at `input`, which has jpeg")
    profile: str = option("", "file of the codec calibrated, for the only split point")
    engine_calls: int = option(10, quick=2)
    """Per engine and round."""
    pictures: int = option(100, quick=10)
    """Photographs on which the engines' answers are compared."""
    stage_windows: int = option(3, quick=2)
    stage_frames: int = option(80, quick=6)
    clients: tuple[int, ...] = option((1, 4, 16, 64), quick=(4,))
    loads: tuple[float, ...] = option((0.5, 0.8, 0.95), quick=(0.8,))
    """Shares of the closed loop's throughput."""
    load_s: float = option(2.5, quick=0.5)
    load_warm_s: float = option(0.5, quick=0.2)
    bare_points: tuple[str, ...] = option(("layer3", "layer1"), quick=("layer3",))
    """Where the cloud is compared with its own tails."""
    batch_limits: tuple[int, ...] = option((1, 2, 4, 8, 16), quick=(4,))
    starts: int = option(3, quick=1)

    def __post_init__(self) -> None:
        chosen: dict[str, object] = {"weights": self.weights or weights_of(self.model or _NETWORK)}
        if self.model:
            chosen["only"] = _BY_DEFAULT if self.only == SECTIONS else self.only
            # One for all its halves: what the cloud chooses for a tail may be too coarse for the whole.
            chosen["precision"] = self.precision or "float32"
        elif not self.split_points:
            chosen["split_points"] = _QUICK_POINTS if self.quick else _POINTS
        if not self.stage_point:
            only_one = self.split_points[0] if len(self.split_points) == 1 else ""
            chosen["stage_point"] = only_one or ("" if self.model else _POINT)
        for name, value in chosen.items():
            object.__setattr__(self, name, value)

    @property
    def setup(self) -> Setup:
        return replace(super().setup, model=self.model or None)

    def wrong(self) -> str | None:
        others = [name for name in self.only if name not in _OF_ANY_NETWORK]
        if self.model and others:
            return f"--only {','.join(others)} with --model: of any network there are {', '.join(_OF_ANY_NETWORK)}"
        if self.profile and (len(self.split_points) != 1 or self.split_points[0] != self.stage_point):
            return "--profile is of one split point: name it by --split-points"
        return None
