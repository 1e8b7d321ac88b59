"""What `python -m bench start` compares."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from bench.harness.contender import Contender, is_checkout, other_checkout
from bench.harness.options import DATA, ReportOptions, first_file, names, option, positive
from bench.harness.process import ROOT, Checkout


@dataclass(frozen=True)
class StartOptions(ReportOptions):
    """Start to first answer, memory at work and frames/s: of this checkout, and of another one or other engines beside it.

    The other checkout may be any version of this project from 0.1.0 on: it is run in its folder, as `python -m edge` and
    `python -m cloud`. About a minute a round, with --quick one round of few frames.
    """

    command = "start"

    against: Path | None = option(None, "folder of another checkout, the base of the ratios", type=Path)
    against_python: str = option(
        "", "interpreter for it (default: its own .venv/bin/python, or the one that runs this)"
    )
    python: str = option(sys.executable, "interpreter for this checkout's edge and cloud")
    engines: tuple[str, ...] = option((), "of this checkout, one after another (default: auto)", type=names)
    model: str = option("resnet50", "of all of them")
    weights: str = option("", "(default: the model's file of ../shared/weights, or random)")
    bundle: str = option(
        "", "a bundle's folder of this model, for this checkout in place of --model and --weights"
    )
    split_point: str = option("layer3", "of every edge")
    codec: str = option("int8+zstd", "of every edge")
    rounds: int = option(5, "of every comparison", quick=1, type=positive)
    frames: int = option(200, "counted in each round", quick=20, type=positive)
    warm_frames: int = option(30, "before them", quick=5, type=positive)

    def wrong(self) -> str | None:
        if self.against and not is_checkout(self.against):
            return f"--against {self.against}: no checkout of this project (edge/__main__.py is not there)"
        if self.bundle and not Path(self.bundle).is_dir():
            return f"--bundle {self.bundle}: no such folder"
        return None

    def contenders(self) -> list[Contender]:
        """The base of the ratios is the last one."""
        named = self.weights or first_file(DATA / "weights" / f"{self.model}.pth", "random")
        weights = str(Path(named).resolve()) if Path(named).is_file() else named
        source = (f"--model={self.model}", f"--weights={weights}")
        own = (f"--model={Path(self.bundle).resolve()}",) if self.bundle else source
        here = Checkout(ROOT, self.python)
        found = [Contender(f"this, {name}", here, (*own, f"--engine={name}")) for name in self.engines] or [
            Contender("this", here, own)
        ]
        if self.against:
            found.append(Contender("against", other_checkout(self.against, self.against_python), source))
        return found
