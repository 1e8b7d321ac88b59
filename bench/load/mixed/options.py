"""What `python -m bench mixed` compares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.harness.contender import Contender, is_checkout, other_checkout
from bench.harness.options import ModelOptions, SystemOptions, number_between, option, positive
from bench.harness.process import HERE
from bench.harness.system import Setup
from bench.load.scale.options import whole

_JOINED = "+"
_THIS, _BASE = "this", "against"


@dataclass(frozen=True)
class MixedOptions(ModelOptions):
    """Frames/s and latencies of a cloud alone whose clients send at several split points; with --against, of two in turn."""

    command = "mixed"

    split_points: tuple[str, ...] = option(
        ("input+layer1+layer2+layer3+layer4", "layer3"), "mixes, each A+B+C: client by client in turn"
    )
    clients: tuple[int, ...] = option((1, 16), "at once, each with one frame under way", type=whole)
    own_addresses: bool = option(
        False, "each client is one of its own to the cloud, which is fair between them"
    )
    seconds: float = option(6.0, "of each load", quick=1.5, type=number_between(float, 0.25, 600))
    warm: float = option(1.0, "seconds before", type=number_between(float, 0, 600))
    warm_up: float = option(
        10.0, "seconds of each mix before the first round", quick=2.0, type=number_between(float, 0.1, 600)
    )
    rounds: int = option(5, "of every comparison", quick=1, type=positive)
    against: Path | None = option(None, "folder of another checkout, the base of the ratios", type=Path)
    against_python: str = option(
        "", "interpreter for it (default: its own .venv/bin/python, or the one that runs this)"
    )
    precision: str = option("float32", "auto, float32, bfloat16 or float16; an int8 bundle has its own")
    flags: tuple[str, ...] = option((), "more of them for the clouds, as max-batch=16")
    source: str = option("", "of the frames (default: the clip of ../shared/videos, or a synthetic one)")

    def wrong(self) -> str | None:
        if self.against and not is_checkout(self.against):
            return f"--against {self.against}: no checkout of this project (edge/__main__.py is not there)"
        return None

    @property
    def mixes(self) -> list[tuple[str, ...]]:
        """The split points of each."""
        return [tuple(each.split(_JOINED)) for each in self.split_points]

    @property
    def setup(self) -> Setup:
        """For the process that makes the frames."""
        return Setup(self.weights, self.source or SystemOptions().source, threads=1)

    def contenders(self) -> list[Contender]:
        """The base of the ratios, if there is one, is the first one."""
        model = str(Path(self.model).resolve()) if Path(self.model).exists() else self.model
        weights = str(Path(self.weights).resolve()) if Path(self.weights).is_file() else self.weights
        flags = [f"--model={model}", "--engine=openvino", *(f"--{each}" for each in self.flags)]
        if not Path(self.model).exists():
            flags += [f"--weights={weights}", f"--precision={self.precision}"]
        this = Contender(_THIS, HERE, tuple(flags))
        if not self.against:
            return [this]
        return [Contender(_BASE, other_checkout(self.against, self.against_python), tuple(flags)), this]
