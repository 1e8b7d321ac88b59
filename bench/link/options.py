"""What `python -m bench link` measures: every combination of links, edges and loads is a cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.harness.options import IMAGES, ModelOptions, option

OBJECTIVES = ("latency", "throughput")


@dataclass(frozen=True)
class LinkOptions(ModelOptions):
    """The planner against every plan it could have chosen, over emulated links.

    An hour and a half at most for the whole grid of 90 cells, of which --resume goes on with one that was interrupted; with --quick about a
    minute. Edge and cloud have a core each where there are two.
    """

    command = "link"

    stream: bool = option(
        False,
        "streams over thin links instead: a report of its own, with flags of its own (`--stream --help`)",
    )
    session_cost: bool = option(
        False, "CPU of a frame by a session and by HTTP instead (`--session-cost --help`)"
    )
    steps: bool = option(False, "only how it follows steps of the link, and noise")
    source: str = option(
        str(IMAGES) if IMAGES.is_dir() else "synthetic:fps=0,frames=64", "as the edge takes it"
    )
    profile: str | None = option(None, "for the codec calibrated, as the edge takes it")
    objective: Literal["latency", "throughput"] = option("latency", "of the planner", choices=OBJECTIVES)
    min_agreement: float = option(0.95, "of every plan with the unsplit network")
    mbit: tuple[float, ...] = option((0.5, 2.0, 5.0, 20.0, 100.0), "Mbit/s of the uplink", quick=(0.5,))
    round_trips: tuple[float, ...] = option((2.0, 20.0, 80.0), "ms", quick=(2.0,))
    slowdowns: tuple[float, ...] = option(
        (1.0, 4.0, 16.0), "of the edge: it sleeps that much longer", quick=(1.0,)
    )
    loads: tuple[float, ...] = option((0.0, 0.6), "share of the cloud's time that others take, 0 … 0.9")
    frames: int = option(4, quick=2)
    """Frames by which a plan is measured in one cell."""
    planner_s: float = option(4.0, quick=1.0)
    """How long the planner runs in one cell."""
    cell_s: float = option(30.0, "seconds of a cell after which no more plans are measured", quick=8.0)
    resume: bool = option(False, "go on with a grid of the same options that was interrupted")

    def wrong(self) -> str | None:
        if any(not 0 <= load <= 0.9 for load in self.loads):
            return "--loads: accepted are shares from 0 to 0.9"
        if self.cell_s <= 0:
            return "--cell-s is above 0"
        if min(self.mbit) <= 0 or min(self.slowdowns) < 1 or min(self.round_trips) < 0:
            return "--mbit is above 0, --slowdowns at least 1, --round-trips not below 0"
        return None
