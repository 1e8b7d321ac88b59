"""Goes through the grid: starts the cloud, the load and the emulated link, measures each cell, writes the tables.

Import it after the threads are limited: it brings torch.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.emulator.thread import EmulatorThread
from bench.harness.frames import build_frames
from bench.harness.network import frames_of
from bench.harness.system import Process, Setup, environment, running_cloud
from bench.link.cell import Cell, Measuring, Outcome
from bench.link.flight import Cockpit
from bench.link.report import findings
from bench.link.steps import steps
from bench.report.about import about
from bench.report.report import Findings, write
from edge.config import EdgeSettings
from edge.frames.preprocess import Preprocess
from edge.metrics import EdgeMetrics
from edge.planning.choices import make_plans
from edge.planning.conditions import parse_tail_times
from edge.planning.planner import Objective
from edge.uplink.uplink import Uplink
from shared.load import load_network
from shared.network.weights import NAMED_SECONDS
from shared.observing import event_loop
from shared.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.harness.system import Cloud
    from bench.link.options import LinkOptions
    from edge.planning.conditions import TailTimes
    from edge.planning.plan import Plan
    from shared.network.model import ModelInfo

_FRAMES = 32
_DEADLINE_S = 60.0
_LOADED_POINT = "layer2"
"""Where those split who keep the cloud busy; the network's middle stage if it has no such point."""


def run(options: LinkOptions, edge_core: int, cloud_core: int) -> list[Path]:
    """The files written. Raises StartupError or RuntimeError."""
    setup = Setup(options.weights, options.source, threads=1)
    outcomes: list[Outcome] = []
    with contextlib.ExitStack() as ends:
        with on_core(cloud_core):
            cloud = ends.enter_context(running_cloud(setup, "--model", options.model))
            engine = f"{cloud.engine()} on either side"
            folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="splitdnn-link-")))
        os.sched_setaffinity(0, {edge_core})
        emulator = ends.enter_context(EmulatorThread("127.0.0.1", int(cloud.url.rpartition(":")[2])))
        settings = read_settings(
            EdgeSettings,
            {
                "model": options.model,
                "weights": options.weights,
                "source": options.source,
                "profile": options.profile,
                "threads": 1,
                "split_point": "auto",
                "objective": options.objective,
                "min_agreement": options.min_agreement,
                "deadline_s": _DEADLINE_S,
                # One frame after another, where latency is asked about.
                "in_flight": 1 if options.objective == "latency" else 4,
                "cloud_url": f"http://127.0.0.1:{emulator.port}",
            },
        )
        model, plans = _load(settings)
        times = _tail_times(settings, model, plans)
        preprocess = Preprocess(model.recipe)
        frames = list(itertools.islice(frames_of(options.source), _FRAMES))
        profiles = [plan.profile for plan in plans if plan.profile]
        objective = Objective(options.objective, options.min_agreement)
        cockpit = Cockpit(settings, model, profiles, frames, preprocess)
        if options.steps:
            table = steps(cockpit, plans, times, objective, emulator, short=options.quick)
            found = Findings(engine, [table])
        else:
            measuring = Measuring(
                cockpit, plans, times, objective, frames=options.frames, planner_s=options.planner_s
            )
            for load in options.loads:
                with _busy(cloud, setup, load, times, folder, cloud_core):
                    outcomes += _grid(options, load, measuring, emulator)
            known = [plan.option for plan in plans if plan.option]
            found = findings(outcomes, options, known, engine)
    for each in found.tables:
        print(f"\n{each.markdown()}")
    name = "link-steps" if options.steps else f"link-{options.objective}"
    return write(options.results, name, found, about(options.weights, options.source))


def _grid(
    options: LinkOptions, load: float, measuring: Measuring, emulator: EmulatorThread
) -> Iterator[Outcome]:
    """Every cell with this load, as it is measured."""
    for slowdown, mbit, round_trip in itertools.product(
        options.slowdowns, options.mbit_per_s, options.round_trips_ms
    ):
        cell = Cell(mbit, round_trip, slowdown, load)
        emulator.link = cell.link
        outcome = measuring.run(cell)
        print(_line(outcome), flush=True)
        yield outcome


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """What is started in the block keeps to this core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _load(settings: EdgeSettings) -> tuple[ModelInfo, list[Plan]]:
    network = load_network(
        settings, EdgeMetrics(), "head",
        weights=settings.weights, seed=settings.seed, patience_s=NAMED_SECONDS, threads=1,
    )  # fmt: skip
    return network.model.info(), make_plans(settings, network)


def _tail_times(settings: EdgeSettings, model: ModelInfo, plans: list[Plan]) -> TailTimes:
    """Asked once, over a link without limits; the profiles are brought on the way."""

    async def ask() -> TailTimes | None:
        profiles = [plan.profile for plan in plans if plan.profile]
        uplink = Uplink(
            settings.cloud_url, model, EdgeMetrics(), top=1, in_flight=1, deadline_s=_DEADLINE_S, profiles=profiles
        )  # fmt: skip
        async with uplink:
            await uplink.check()
            return parse_tail_times(await uplink.tail_times())

    times = event_loop.run(ask())
    if times is None:
        raise RuntimeError("the cloud does not say how fast it is")
    return times


@contextlib.contextmanager
def _busy(
    cloud: Cloud,
    setup: Setup,
    load: float,
    times: TailTimes,
    folder: Path,
    core: int,
) -> Iterator[None]:
    """Others keep the cloud busy for this share of its time, in an open loop."""
    if not load:
        yield
        return
    names = list(times.alone_s)
    point = _LOADED_POINT if _LOADED_POINT in names else names[len(names) // 2]
    build_frames(folder, setup, [point], 4, 10_000)
    rate = load / times.alone_s[point]
    command = [
        "-m", "bench", "load", "--url", cloud.url, "--frames", str(folder), "--split-points", point,
        "--rate", f"{rate:.3f}", "--clients", "8", "--seconds", "3600", "--warm", "0",
    ]  # fmt: skip
    with on_core(core):
        process = Process(command, environment())
    with process:
        yield
        if process.ended():
            raise RuntimeError(f"the load on the cloud ended early:\n{process.said()}")


def _line(outcome: Outcome) -> str:
    cell = outcome.cell
    return (
        f"{cell.mbit_per_s:g} Mbit/s, {cell.round_trip_ms:g} ms, edge x{cell.slowdown:g}, load {cell.load:g}: {outcome.chosen} "
        f"{outcome.value_ms(outcome.chosen):.1f} ms (predicted {outcome.predicted_ms:.1f}, seen {outcome.measured_ms:.1f}); best "
        f"{outcome.best} {outcome.value_ms(outcome.best):.1f}; ratio {outcome.ratio:.3f}, gain {outcome.gain:.2f}"
    )
