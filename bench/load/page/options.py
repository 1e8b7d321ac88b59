"""What `python -m bench page` measures."""

from __future__ import annotations

from dataclasses import dataclass

from bench.harness.options import ModelOptions, number_between, option, positive
from bench.harness.system import Setup


@dataclass(frozen=True)
class PageOptions(ModelOptions):
    """The pages of edge and cloud: their bytes, how soon Chromium shows them, and the edge's CPU without viewers and with some, in turn.

    About four minutes.
    """

    command = "page"

    split_point: str = option("layer3", "of the edge")
    codec: str = option("int8+zstd", "of the edge")
    fps: int = option(10, "frames a second of the edge's camera, of 640x480", type=positive)
    viewers: int = option(3, "of the edge's page, compared with none", type=positive)
    paints: int = option(10, "of each page, each in a fresh context of one browser", quick=2, type=positive)
    rounds: int = option(5, "without viewers and with them", quick=1, type=positive)
    seconds: float = option(20.0, "of each half of a round", quick=3.0, type=number_between(float, 0.5))

    @property
    def setup(self) -> Setup:
        source = f"synthetic:fps={self.fps},width=640,height=480"
        return Setup(self.weights, source, model=self.model, threads=1)
