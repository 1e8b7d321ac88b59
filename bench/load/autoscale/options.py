"""What `python -m bench autoscale` replays, and with which pods."""

from __future__ import annotations

from dataclasses import dataclass

from bench.harness.options import (
    ModelOptions,
    SystemOptions,
    number_between,
    option,
    positive,
)
from bench.harness.system import Setup


@dataclass(frozen=True)
class AutoscaleOptions(ModelOptions):
    """Replays traces of load through the autoscalers of deploy/kubernetes: when they scale, how long the queues get, what is not answered.

    Nothing runs but the replay, which takes seconds and gives the same figures each time. --measure measures beforehand what a pod can do.
    """

    command = "autoscale"

    measure: bool = option(False, "a cloud on this machine first: its start, its frames/s, and its queue at --shares of them")
    load_s: float = option(8.0, "of each load that is measured", quick=2.0, type=number_between(float, 0.5, 60))
    shares: tuple[float, ...] = option((0.3, 0.6, 0.85, 1.2), "of what it can answer")
    threads: int = option(2, "of that cloud", type=positive)
    split_point: str = option("layer3", "of all frames")

    @property
    def setup(self) -> Setup:
        """For the process that makes the frames."""
        return Setup(self.weights, SystemOptions().source, threads=1)
