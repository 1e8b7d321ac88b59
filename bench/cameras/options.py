"""What `python -m bench cameras` compares."""

from __future__ import annotations

from dataclasses import dataclass

from bench.harness.options import DATA, ModelOptions, first_file, option, positive
from bench.harness.system import Setup


@dataclass(frozen=True)
class CamerasOptions(ModelOptions):
    """One edge process with several cameras against one with a single camera: memory, frames/s, and how fair it is.

    Every camera plays the same clip as fast as its frames are answered. About two minutes a round.
    """

    command = "cameras"

    cameras: int = option(8, "of the edge that has several", type=positive)
    source: str = option(
        first_file(DATA / "videos" / "car-detection.mp4", "synthetic:fps=0,frames=377"), "of every camera"
    )
    split_point: str = option("layer3", "of every camera")
    codec: str = option("int8+zstd", "of every camera")
    rounds: int = option(3, "of both edges in turn", quick=1, type=positive)
    frames: int = option(100, "counted of each camera in each run", quick=10, type=positive)
    warm_frames: int = option(10, "of each camera before them", quick=3, type=positive)
    output_only: bool = option(False, "answer everything at the edge, without a cloud")

    def wrong(self) -> str | None:
        return None if 2 <= self.cameras <= 64 else f"--cameras {self.cameras}: accepted are 2 to 64"

    @property
    def setup(self) -> Setup:
        return Setup(self.weights, self.source, model=self.model, threads=1)
