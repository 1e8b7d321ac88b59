"""`python -m bench link --session-cost`: CPU of a frame by a session and by HTTP, both processes together, in turn.

Head and tail, which take most of a frame's time, have nothing to do with it: what is left without them is told beside the whole.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.contender import is_checkout, other_checkout
from bench.harness.options import ModelOptions, SystemOptions, option, positive
from bench.harness.process import HERE, Checkout, cpu_s
from bench.harness.scrape import scrape
from bench.harness.system import Cloud, Edge, Setup
from bench.link.stream.choices import HTTP, SESSION, knows_sessions, way_flags
from bench.report.progress import Outline, Progress
from bench.report.report import Cell, Findings, Table, about, publish
from bench.report.spread import over_rounds, ratio_of_rounds, several
from bench.speed.points import profile_flags
from bench.speed.steps import Costs, Sample
from bench.speed.window import frames_needed, watch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BEFORE = "http, before"
"""By the other checkout."""
WHOLE, REST = "both", "both, without head and tail"
_TARGET = "at most 0.8"
_RUN_S = 8.0


@dataclass(frozen=True)
class CostOptions(ModelOptions):
    """CPU of edge and cloud for a frame by each way, in turn; with --against also of another checkout. About ten minutes."""

    command = "link --session-cost"

    session_cost: bool = option(False, "this report")
    against: str = option("", "a folder with another version of the project, by HTTP: that before sessions")
    against_python: str = option("", "its interpreter (default: of its .venv, or this one)")
    split_points: tuple[str, ...] = option(("layer3", "avgpool"), "where frames are cut", quick=("avgpool",))
    codec: str = option("int8+zstd", "of all frames")
    profile: str = option("", "for the codec calibrated, at one split point")
    frames: int = option(200, "of each run", quick=20, type=positive)
    warm_frames: int = option(30, "before them", quick=8, type=positive)
    rounds: int = option(5, "of all ways", quick=1, type=positive)
    source: str = option("", "a recording (default: the clip of ../shared/videos, or a synthetic one)")

    def wrong(self) -> str | None:
        if not knows_sessions():
            return "this checkout's edge has no sessions"
        if self.against and not is_checkout(Path(self.against)):
            return f"--against {self.against}: no version of this project lies there"
        return None

    @property
    def setup(self) -> Setup:
        """One thread each, so that the steps' CPU is all of the engine's."""
        return Setup(self.weights, self.source or SystemOptions().source, threads=1, model=self.model)


def main(arguments: Sequence[str]) -> int:
    return CostOptions.read(arguments).report(_run, RuntimeError)


def _run(options: CostOptions) -> list[Path]:
    """The files that were written."""
    measured_on = about(options.weights, options.setup.source)
    checkouts: dict[str, Checkout] = {HTTP: HERE, SESSION: HERE}
    if options.against:
        checkouts[BEFORE] = other_checkout(Path(options.against), options.against_python)
    runs = len(checkouts) * options.rounds * len(options.split_points)
    seconds = runs * (_RUN_S + (options.warm_frames + options.frames) / 15)
    with contextlib.ExitStack() as ends:
        progress = ends.enter_context(contextlib.closing(Progress([Outline("cost", 1 + runs, seconds)])))
        progress.section()
        progress.step("starting the clouds")
        clouds = {
            checkout.folder: ends.enter_context(Cloud(options.setup.flags(), checkout=checkout))
            for checkout in dict.fromkeys(checkouts.values())
        }
        for cloud in clouds.values():
            cloud.wait_until_ready()
        here = clouds[HERE.folder]
        engine, setup = here.engine(), options.setup.like(here)
        found: dict[str, dict[str, Costs]] = defaultdict(lambda: defaultdict(Costs))
        for point in options.split_points:
            for name in progress.rounds(options.rounds, list(checkouts), f"{point}, {{}}"):
                checkout = checkouts[name]
                _measure(options, setup, clouds[checkout.folder], point, name, checkout, found[point][name])
    note = (
        f"{options.codec}, one thread a process, frames as fast as they are answered. CPU of each process by the kernel, in ms a frame: medians (min–max over "
        f"{several(options.rounds, 'round')}) of {options.frames} frames a run, after {options.warm_frames} for warming up; ratios are between the runs of one round. "
        f"`{BEFORE}` is the other checkout, if there is one. Each window holds one of this section's own scrapes of each side."
    )
    made = [
        Table(f"link-session-cost-{point}", f"What a frame costs by each way at {point}", note, rows(costs))
        for point, costs in found.items()
    ]
    return publish(options.results, "link-session-cost", Findings(engine, made), measured_on)


def _measure(
    options: CostOptions, setup: Setup, cloud: Cloud, point: str, name: str, checkout: Checkout, costs: Costs
) -> None:
    shape = {"warm": options.warm_frames, "frames": options.frames}
    flags = [
        *profile_flags(options.profile, options.codec),
        *([] if name == BEFORE else way_flags(SESSION if name == SESSION else HTTP)),
    ]
    with Edge(
        setup, cloud.url, point, options.codec, frames_needed(**shape), *flags, checkout=checkout
    ) as edge:

        def sample() -> Sample:
            return Sample(
                {"edge": cpu_s(edge.pid), "cloud": cpu_s(cloud.pid)},
                {"edge": scrape(edge.url), "cloud": cloud.metrics()},
            )

        [window] = watch(edge, sample, **shape, answered_by="cloud")
    costs.add(window)


def rows(costs: Mapping[str, Costs]) -> list[dict[str, Cell]]:
    """Each process, both together, and both without head and tail, with the session's ratio to every other way."""
    quantities = {
        "edge": {name: each.total["edge"] for name, each in costs.items()},
        "cloud": {name: each.total["cloud"] for name, each in costs.items()},
        WHOLE: {
            name: [sum(sides) for sides in zip(*each.total.values(), strict=True)]
            for name, each in costs.items()
        },
        REST: {name: each.overhead() for name, each in costs.items()},
    }
    found: list[dict[str, Cell]] = []
    for quantity, by in quantities.items():
        row: dict[str, Cell] = {"CPU ms/frame": quantity}
        row |= {name: over_rounds(values) for name, values in by.items()}
        for name in by:
            if name != SESSION and SESSION in by:
                row[f"{SESSION} / {name}"] = ratio_of_rounds(by[SESSION], by[name])
        row["target"] = _TARGET if quantity in (WHOLE, REST) else None
        found.append(row)
    return found
