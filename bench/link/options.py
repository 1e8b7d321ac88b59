"""What `python -m bench link` is told."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bench.harness.options import DATA, first_file
from bench.harness.system import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

OBJECTIVES = ("latency", "throughput")


@dataclass(frozen=True)
class LinkOptions:
    """One run of the report: every combination of these is a cell."""

    model: str
    weights: str
    source: str
    profile: str | None
    """A file or folder of profiles, as the edge takes it."""
    objective: Literal["latency", "throughput"]
    min_agreement: float
    mbit_per_s: tuple[float, ...]
    round_trips_ms: tuple[float, ...]
    slowdowns: tuple[float, ...]
    """Of the edge, by a declared factor: it sleeps that much longer than it computes."""
    loads: tuple[float, ...]
    """Share of the cloud's time that others keep it busy."""
    frames: int
    """By which a plan is measured in one cell."""
    planner_s: float
    """How long the planner flies in one cell."""
    steps: bool
    """Only the steps of the link, no grid."""
    quick: bool
    results: Path


def read_link_options(arguments: Sequence[str]) -> LinkOptions:
    """From the command line; ends the process with a usage line where that cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m bench link",
        description="The planner against every plan it could have chosen, over emulated links: about half an hour, with "
        "--quick about a minute. Edge and cloud have a core each where there are two.",
    )
    parser.add_argument(
        "--steps", action="store_true", help="only how it follows steps of the link, and noise"
    )
    parser.add_argument("--quick", action="store_true", help="two cells: does it work?")
    parser.add_argument("--model", default="resnet50", help="architecture (default: %(default)s)")
    parser.add_argument("--weights", help="(default: the model's file of ../shared/weights, or random)")
    parser.add_argument("--source", help="(default: the photographs of ../shared/images, or drawn frames)")
    parser.add_argument("--profile", help="for the codec calibrated, as the edge takes it")
    parser.add_argument("--objective", choices=OBJECTIVES, default="latency", help="(default: %(default)s)")
    parser.add_argument("--min-agreement", type=float, default=0.95, help="(default: %(default)s)")
    parser.add_argument("--mbit", type=_numbers, default=(0.5, 2.0, 5.0, 20.0, 100.0), metavar="A,B")
    parser.add_argument("--round-trips", type=_numbers, default=(2.0, 20.0, 80.0), metavar="A,B", help="ms")
    parser.add_argument(
        "--slowdowns", type=_numbers, default=(1.0, 4.0, 16.0), metavar="A,B", help="of the edge"
    )
    parser.add_argument(
        "--loads", type=_numbers, default=(0.0, 0.6), metavar="A,B", help="of the cloud, 0 … 0.9"
    )
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results", help="folder")
    given = parser.parse_args(arguments)
    if any(not 0 <= load <= 0.9 for load in given.loads):
        parser.error("--loads: accepted are shares from 0 to 0.9")
    if min((*given.mbit, *given.slowdowns)) <= 0 or min(given.slowdowns) < 1 or min(given.round_trips) < 0:
        parser.error("--mbit is above 0, --slowdowns at least 1, --round-trips not below 0")
    images = DATA / "images"
    return LinkOptions(
        given.model,
        given.weights or first_file(DATA / "weights" / f"{given.model}.pth", "random"),
        given.source or (str(images) if images.is_dir() else "synthetic:fps=0,frames=64"),
        given.profile,
        given.objective,
        given.min_agreement,
        given.mbit[:1] if given.quick else given.mbit,
        given.round_trips[:1] if given.quick else given.round_trips,
        given.slowdowns[:1] if given.quick else given.slowdowns,
        given.loads,
        2 if given.quick else 4,
        1.0 if given.quick else 4.0,
        given.steps,
        given.quick,
        given.results,
    )


def _numbers(text: str) -> tuple[float, ...]:
    numbers = tuple(float(each) for each in text.split(","))
    if not numbers:
        raise argparse.ArgumentTypeError("at least one number")
    return numbers
