"""What `python -m bench speed` is told, and how much work that means."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.system import ROOT, Setup

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DATA = ROOT.parent / "shared"
SECTIONS = ("split", "engines", "json", "stages", "clients", "footprint")
_POINTS = ("input", "layer1", "layer2", "layer3", "layer4", "avgpool")


@dataclass(frozen=True)
class Effort:
    """How long everything is measured. The defaults take about ten minutes on two cores."""

    rounds: int = 3
    split_points: tuple[str, ...] = _POINTS
    warm_frames: int = 16
    frames: int = 80
    engine_calls: int = 10
    """Per engine and round."""
    pictures: int = 100
    json_points: tuple[str, ...] = ("layer1", "layer2", "layer3", "layer4")
    json_s: float = 1.5
    stage_windows: int = 3
    stage_frames: int = 80
    clients: tuple[int, ...] = (1, 4, 16, 64)
    loads: tuple[float, ...] = (0.5, 0.8, 0.95)
    """Of the closed loop's throughput."""
    load_s: float = 2.5
    load_warm_s: float = 0.5
    bare_points: tuple[str, ...] = ("layer3", "layer1")
    """Where the cloud is compared with its own tails."""
    batch_limits: tuple[int, ...] = (1, 2, 4, 8, 16)
    starts: int = 3
    growth_frames: int = 2000


QUICK = Effort(
    rounds=1,
    split_points=("layer3",),
    warm_frames=4,
    frames=10,
    engine_calls=2,
    pictures=10,
    json_points=("layer3",),
    json_s=0.5,
    stage_windows=2,
    stage_frames=6,
    clients=(4,),
    loads=(0.8,),
    load_s=0.5,
    load_warm_s=0.2,
    bare_points=("layer3",),
    batch_limits=(4,),
    starts=1,
    growth_frames=24,
)


@dataclass(frozen=True)
class Options:
    """One run of the report."""

    setup: Setup
    effort: Effort
    sections: tuple[str, ...]
    pictures: Path | None
    """A folder of photographs to compare the engines' answers on."""
    results: Path


def read_options(arguments: Sequence[str]) -> Options:
    """From the command line; ends the process with a usage line where that cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m bench speed",
        description="Measure the whole system on this machine: about ten minutes, with --quick about one.",
    )
    parser.add_argument("--quick", action="store_true", help="a little of everything: does it work?")
    parser.add_argument(
        "--only", type=_sections, default=SECTIONS, metavar="A,B", help=f"of {','.join(SECTIONS)}"
    )
    parser.add_argument("--rounds", type=positive, help=f"of every comparison (default: {Effort.rounds})")
    parser.add_argument(
        "--frames", type=positive, help=f"per split point and round (default: {Effort.frames})"
    )
    parser.add_argument(
        "--frames-growth", type=positive, help=f"for the growth of memory (default: {Effort.growth_frames})"
    )
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results", help="folder")
    add_setup_flags(parser)
    given = parser.parse_args(arguments)
    effort = QUICK if given.quick else Effort()
    changed = {"rounds": given.rounds, "frames": given.frames, "growth_frames": given.frames_growth}
    pictures = DATA / "images"
    return Options(
        read_setup_flags(given),
        replace(effort, **{name: value for name, value in changed.items() if value}),
        given.only,
        pictures if pictures.is_dir() else None,
        given.results,
    )


def add_setup_flags(parser: argparse.ArgumentParser) -> None:
    """What the processes are given; real weights and a real clip where they are at hand."""
    parser.add_argument("--weights", default=first_file(DATA / "weights" / "resnet50.pth", "random"))
    parser.add_argument(
        "--source", default=first_file(DATA / "videos" / "car-detection.mp4", "synthetic:fps=0,frames=377")
    )
    parser.add_argument("--engine", help="auto, torch or openvino (default: as edge and cloud choose)")
    parser.add_argument("--precision", help="auto, float32, bfloat16 or float16")
    parser.add_argument("--threads", type=positive, help="of every process (default: its own)")


def read_setup_flags(given: argparse.Namespace) -> Setup:
    return Setup(given.weights, given.source, given.engine, given.precision, given.threads)


def _sections(text: str) -> tuple[str, ...]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in SECTIONS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown) or text!r}; accepted: {', '.join(SECTIONS)}")
    return tuple(name for name in SECTIONS if name in names)


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def number_between(kind: type[int | float], low: float, high: float) -> Callable[[str], float]:
    """A number within bounds, for argparse."""

    def read(text: str) -> float:
        number = kind(text)
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text}: accepted are {low:g} to {high:g}")
        return number

    return read


def first_file(path: Path, otherwise: str) -> str:
    return str(path) if path.is_file() else otherwise
