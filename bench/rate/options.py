"""What `python -m bench rate` is told."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.options import DATA, first_file, positive
from bench.harness.system import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

_QUICK_PHOTOGRAPHS, _QUICK_CLIP_FRAMES = 36, 12


@dataclass(frozen=True)
class RateOptions:
    """One run of the report."""

    model: str
    weights: str
    images: Path
    """A folder of photographs, each named by its class."""
    images_named: bool
    """Whether the user has named that folder, so that its absence is an error."""
    clip: Path | None
    clip_frames: int
    split_points: tuple[str, ...]
    """Empty: those of bench/rate/plan.py."""
    limit: int | None
    """Most photographs, those that calibrate and those that are measured together; None: all."""
    quick: bool
    results: Path


def read_rate_options(arguments: Sequence[str]) -> RateOptions:
    """From the command line; ends the process with a usage line where that cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m bench rate",
        description="Bytes per frame against what they do to the answers: every codec, at several split points. About ten "
        "minutes, with --quick about one.",
    )
    parser.add_argument("--quick", action="store_true", help="a little of everything: does it work?")
    parser.add_argument("--model", default="resnet50", help="architecture (default: %(default)s)")
    parser.add_argument("--weights", help="(default: the model's file of ../shared/weights, or random)")
    parser.add_argument("--images", type=Path, help="folder of photographs (default: ../shared/images)")
    parser.add_argument("--clip", type=Path, help="a video, measured as well and never calibrated on")
    parser.add_argument(
        "--clip-frames", type=positive, help="of the clip, evenly from all of it (default: 120)"
    )
    parser.add_argument(
        "--split-points", type=_names, default=(), metavar="A,B", help="(default: the network's stages)"
    )
    parser.add_argument("--limit", type=positive, help="photographs at most, evenly from all")
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results", help="folder")
    given = parser.parse_args(arguments)
    if given.clip is not None and not given.clip.is_file():
        parser.error(f"--clip {given.clip}: no such file")
    return RateOptions(
        given.model,
        given.weights or first_file(DATA / "weights" / f"{given.model}.pth", "random"),
        given.images or DATA / "images",
        given.images is not None,
        given.clip,
        given.clip_frames or (_QUICK_CLIP_FRAMES if given.quick else 120),
        given.split_points,
        given.limit or (_QUICK_PHOTOGRAPHS if given.quick else None),
        given.quick,
        given.results,
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
