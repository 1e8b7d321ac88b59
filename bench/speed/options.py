"""What `python -m bench speed` measures, and how much of it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.contender import Contender, is_checkout, other_checkout
from bench.harness.options import ReportOptions, SystemOptions, names, option, positive, weights_of
from bench.harness.process import HERE
from shared.errors import ModelError
from shared.network.manifest import MANIFEST, read_manifest

if TYPE_CHECKING:
    from bench.harness.system import Setup

SECTIONS = ("split", "engines", "stages", "clients", "footprint", "tls", "against")
_OF_ANY_NETWORK = ("split", "stages", "tls", "against")
"""The other sections know where ResNet-50 is cut."""
_BY_DEFAULT = ("split", "stages")
"""What is measured where one's own network is given."""
_POINTS, _QUICK_POINTS = ("input", "layer1", "layer2", "layer3", "layer4", "avgpool"), ("layer3",)
_NETWORK, _POINT = "resnet50", "layer3"
_STAGES = ("layer2", "layer3", "layer4")
_FLOAT_CODEC, _INT8_CODEC = "int8+zstd", "uint8+zstd"


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
    codec: str = option(
        "",
        f"everywhere but at `input`, which has jpeg (default: {_FLOAT_CODEC}, or {_INT8_CODEC} of an int8 bundle)",
    )
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
    against: Path | None = option(
        None, "folder of another checkout, which `against` runs in turn with this one", type=Path
    )
    against_python: str = option(
        "", "interpreter for it (default: its own .venv/bin/python, or the one that runs this)"
    )
    against_model: str = option(_NETWORK, "what it runs, in --against-precision")
    against_precision: str = option("float32", "as it takes it")
    against_points: tuple[str, ...] = option(
        _STAGES, "split points, of both networks", quick=("layer3",), type=names
    )
    at_once: int = option(
        0, "heads, and tails, that run at once in this one's processes, where these choose their threads"
    )
    engine_s: float = option(3.0, quick=0.5)
    """For which the unsplit engine runs back to back, in each round."""

    def __post_init__(self) -> None:
        chosen: dict[str, object] = {"weights": self.weights or weights_of(self.model or _NETWORK)}
        is_int8 = _is_int8(self.model)
        chosen["codec"] = self.codec or (_INT8_CODEC if is_int8 else _FLOAT_CODEC)
        if self.only == SECTIONS:
            more = ("against",) if self.against else ()
            chosen["only"] = (_BY_DEFAULT if self.model else SECTIONS[:-1]) + more
        if self.model:
            # One for all its halves: what the cloud chooses for a tail may be too coarse for the whole. An int8 bundle has its own.
            chosen["precision"] = self.precision or (None if is_int8 else "float32")
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

    @property
    def contenders(self) -> list[Contender]:
        """Both checkouts, this one first and then the other one, which is the base of ratios. Raises ValueError if none was named."""
        if self.against is None:
            raise ValueError("no --against")
        flags = [f"--model={self.against_model}", f"--precision={self.against_precision}"]
        weights = weights_of(self.against_model)
        flags += [] if weights == "auto" else [f"--weights={weights}"]
        return [
            Contender("this", HERE, tuple(self.setup.flags())),
            Contender("against", other_checkout(self.against, self.against_python), tuple(flags)),
        ]

    def wrong(self) -> str | None:
        if "against" in self.only and not self.against:
            return "--only against: name the other checkout by --against"
        if self.against and not is_checkout(self.against):
            return f"--against {self.against}: no checkout of this project (edge/__main__.py is not there)"
        others = [name for name in self.only if name not in _OF_ANY_NETWORK]
        if self.model and others:
            return f"--only {','.join(others)} with --model: of any network there are {', '.join(_OF_ANY_NETWORK)}"
        if self.profile and (len(self.split_points) != 1 or self.split_points[0] != self.stage_point):
            return "--profile is of one split point: name it by --split-points"
        return None


def _is_int8(model: str) -> bool:
    """Whether this is the folder of an int8 bundle."""
    try:
        return read_manifest(Path(model) / MANIFEST).precision == "int8" if model else False
    except ModelError:
        return False
