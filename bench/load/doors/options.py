"""What `python -m bench doors` measures."""

from __future__ import annotations

from dataclasses import dataclass

from bench.harness.options import ModelOptions, SystemOptions, option, positive
from bench.harness.system import Setup


@dataclass(frozen=True)
class DoorsOptions(ModelOptions):
    """CPU of a cloud for each request, and bytes: the same crossings by `POST /model` and by `/v2`, in turn. About a minute."""

    command = "doors"

    split_point: str = option("layer3", "of all frames but pictures")
    requests: int = option(100, "in each round of each kind", quick=10, type=positive)
    warm_requests: int = option(30, "before them, once", quick=5, type=positive)
    rounds: int = option(5, "of all kinds", quick=1, type=positive)
    profile: str = option("", "file of a profile for the split point, whose bytes are told as well")
    source: str = option("", "of the frames (default: the clip of ../shared/videos, or a synthetic one)")

    @property
    def setup(self) -> Setup:
        """For the process that makes the frames, and for the cloud: one thread, so that its steps are all of its work."""
        return Setup(self.weights, self.source or SystemOptions().source, threads=1, model=self.model)
