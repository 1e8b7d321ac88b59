"""What `python -m bench fleet` is told."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from bench.harness.options import IMAGES, ModelOptions, number_between, option
from bench.harness.process import ROOT
from bench.harness.system import Setup

CONFIGURATION = ROOT / "deploy" / "balancer" / "haproxy.cfg"
BALANCERS = ("auto", "haproxy", "stand-in")
_PATH = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin"
"""Debian puts it where only root looks."""
_FRACTION = number_between(float, 0, 1)


@dataclass(frozen=True)
class FleetOptions(ModelOptions):
    """Run many light edges against clouds behind a balancer; one cloud after another is killed, links are cut. About six minutes.

    The edges send real frames. Exit status 1 if a promise is broken: no frame is lost, recorded twice, wrong or late.
    """

    command = "fleet"

    seconds: float = option(300.0, "under faults", quick=24.0, type=number_between(float, 5, 3600))
    calm: float = option(
        10.0, "seconds without faults before them", quick=4.0, type=number_between(float, 1, 600)
    )
    capacity: float = option(
        8.0,
        "seconds in which it is measured what all clouds but one can do",
        quick=3.0,
        type=number_between(float, 1, 60),
    )
    edges: int = option(100, "light ones, in this process", type=number_between(int, 1, 1000))
    real_edges: int = option(
        0, "`python -m edge` beside them, each with the URL of every cloud", type=number_between(int, 0, 8)
    )
    clouds: int = option(3, "with one thread each", type=number_between(int, 2, 8))
    kill_every: float = option(
        10.0, "seconds between two kills", quick=8.0, type=number_between(float, 1, 600)
    )
    cut_every: float = option(2.0, "seconds between two cuts", type=number_between(float, 0.1, 600))
    cut_share: float = option(0.2, "of the light edges have a link that is cut", type=_FRACTION)
    load: float = option(
        0.3, "of what all clouds but one can do; at most 0.5", type=number_between(float, 0.001, 0.5)
    )
    deadline: float = option(
        2.0, "seconds of a frame, from when it is due", type=number_between(float, 0.1, 60)
    )
    split_point: str = option("layer3", "of every edge")
    source: str = option(str(IMAGES) if IMAGES.is_dir() else "synthetic:fps=0,frames=64", "of the frames")
    pictures: int = option(24, "different frames", type=number_between(int, 1, 1000))
    balancer: str = option(
        "auto", "haproxy, stand-in (our own), or auto: haproxy if it is installed", choices=BALANCERS
    )
    configuration: Path = option(CONFIGURATION, "of HAProxy", type=Path)
    seed: int = option(0, "of the cuts and of the edges' phases")
    busy: bool = option(
        False, "the machine has other work: promises of speed are reported, and may be broken"
    )
    folder: Path | None = option(
        None, "keep records, ledgers and logs there (default: they are removed)", type=Path
    )

    @property
    def setup(self) -> Setup:
        return Setup(self.weights, self.source, "openvino", "float32", threads=1, model=self.model)

    @property
    def haproxy(self) -> str | None:
        """The program that balances; None where our own does."""
        return None if self.balancer == "stand-in" else shutil.which("haproxy", path=_PATH)

    def wrong(self) -> str | None:
        if self.balancer == "haproxy" and not self.haproxy:
            return "haproxy is not installed; --balancer stand-in does without"
        if self.folder and any(self.folder.glob("*.jsonl")):
            return f"{self.folder} holds an earlier run's records"
        return None
