"""What `python -m bench page` compares."""

from __future__ import annotations

from dataclasses import dataclass

from bench.harness.options import ModelOptions, option, positive
from bench.harness.system import Setup


@dataclass(frozen=True)
class PageOptions(ModelOptions):
    """One edge at which nobody looks against the same with so many open pages: processor time, latency, frames.

    Its camera gives frames at a pace of its own. About a minute a round.
    """

    command = "page"

    viewers: int = option(3, "open pages, each with its pictures", type=positive)
    fps: int = option(10, "frames a second of the camera", type=positive)
    size: str = option("1280x720", "of its pictures")
    split_point: str = option("layer3", "of the camera")
    codec: str = option("int8+zstd", "of the camera")
    rounds: int = option(3, "of both in turn", quick=1, type=positive)
    frames: int = option(200, "counted in each run", quick=40, type=positive)
    warm_frames: int = option(30, "before them", quick=10, type=positive)
    output_only: bool = option(False, "answer everything at the edge, without a cloud")

    def wrong(self) -> str | None:
        width, _, height = self.size.partition("x")
        if not (width.isdecimal() and height.isdecimal()):
            return f"--size {self.size}: accepted is a size as 1280x720"
        return None if self.viewers <= 32 else f"--viewers {self.viewers}: an edge shows itself to 32 at most"

    @property
    def source(self) -> str:
        """The camera."""
        width, _, height = self.size.partition("x")
        return f"synthetic:fps={self.fps},width={width},height={height}"

    @property
    def setup(self) -> Setup:
        return Setup(self.weights, self.source, model=self.model, threads=1)
