"""`python -m bench link`: the planner against every plan it could have chosen, over emulated links.

Starts the cloud, the load and the emulated link, measures each cell of the grid, writes the tables.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.emulator.thread import EmulatorThread
from bench.harness.frames import build_frames
from bench.harness.network import frames_of
from bench.harness.priority import on_core
from bench.harness.process import Process
from bench.harness.system import Cloud, Setup, running_cloud
from bench.link.cell import Cell, Measuring, Outcome, counted
from bench.link.flight import Cockpit
from bench.link.kept import Kept
from bench.link.options import LinkOptions
from bench.link.report import findings
from bench.link.steps import steps
from bench.link.typical import typical_first
from bench.report.report import Findings, about, commit, publish
from edge.config import EdgeSettings
from edge.frames.preprocess import Preprocess
from edge.metrics import EdgeMetrics
from edge.planning.choices import make_plans
from edge.planning.costs.tail_times import TailTimes, parse_tail_times
from shared.engines.load import load_network
from shared.errors import SplitDNNError
from shared.network.choice import NAMED_SECONDS
from shared.observing import event_loop
from shared.process.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge.planning.plan import Plan
    from shared.network.model import Model

_REPORTS = {"--stream": "stream.command", "--session-cost": "stream.cost"}
"""Those with flags of their own."""
_FRAMES = 32
_DEADLINE_S = 20.0
_SETTLE_S = 1.0
_LOADED_POINT = "layer2"
"""The split point of the load on the cloud; the network's middle one if it has no such point."""
_LOADING_CLIENTS = 8
_LOADED_S = 3600.0
_LOADING_FRAMES = 900_000
"""At most in one load; `bench load` takes a million."""


def main(arguments: Sequence[str]) -> int:
    for flag, report in _REPORTS.items():
        if flag in arguments:
            status: int = importlib.import_module(f"bench.link.{report}").main(arguments)
            return status
    return LinkOptions.read(arguments).report(_run, SplitDNNError, RuntimeError, ValueError)


def _run(options: LinkOptions) -> list[Path]:
    """The files that were written. Edge and cloud are pinned to a core each. Raises StartupError or RuntimeError."""
    cores = sorted(os.sched_getaffinity(0))
    edge_core, cloud_core = cores[0], cores[-1]
    setup = Setup(options.weights, options.source, threads=1)
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
                # One frame after another if latency is the objective.
                "in_flight": 1 if options.objective == "latency" else 4,
                "cloud_url": f"http://127.0.0.1:{emulator.port}",
            },
        )
        model, plans = _load(settings)
        preprocess = Preprocess(model.recipe)
        frames = list(itertools.islice(frames_of(options.source), _FRAMES))
        frames = typical_first(frames, preprocess, *counted(options.objective, options.frames))
        cockpit = Cockpit(settings, model, plans, frames, preprocess)
        times = _tail_times(cockpit)
        if options.steps:
            table = steps(cockpit, times, emulator, short=options.quick)
            found = Findings(engine, [table])
        else:
            outcomes = _grid(
                options,
                Measuring(cockpit, times, options.frames, options.planner_s, options.cell_s),
                emulator,
                _Load(cloud, setup, options.model, times, folder, cloud_core),
            )
            known = [plan.option for plan in plans if plan.option]
            found = findings(outcomes, options, known, engine)
    name = "link-steps" if options.steps else f"link-{options.objective}"
    return publish(options.results, name, found, about(options.weights, options.source))


def _load(settings: EdgeSettings) -> tuple[Model, list[Plan]]:
    network = load_network(
        settings, EdgeMetrics(), "head",
        weights=settings.weights, seed=settings.seed, patience_s=NAMED_SECONDS, threads=1,
    )  # fmt: skip
    return network.model, make_plans(settings, network)


def _tail_times(cockpit: Cockpit) -> TailTimes:
    """The cloud's times, asked for once over a link without limits; the cloud gets the profiles on the way."""

    async def ask() -> TailTimes | None:
        async with cockpit.uplink(EdgeMetrics()) as uplink:
            return parse_tail_times(await uplink.tail_times())

    times = event_loop.run(ask())
    if times is None:
        raise RuntimeError("the cloud does not say how fast it is")
    return times


def _grid(options: LinkOptions, measuring: Measuring, emulator: EmulatorThread, load: _Load) -> list[Outcome]:
    """Every cell, those that an interrupted run has measured as they were."""
    about_it = {name: value for name, value in asdict(options).items() if name not in ("resume", "results")}
    file = options.results / f"link-{options.objective}.cells.jsonl"
    kept = Kept(
        file,
        {"commit": commit(), **{name: str(value) for name, value in about_it.items()}},
        resume=options.resume,
    )
    axes = list(itertools.product(options.loads, options.slowdowns, options.mbit, options.round_trips))
    print(f"{len(axes)} cells, at most {len(axes) * 2 * options.cell_s / 60:.0f} minutes", flush=True)
    outcomes = []
    for number, (share, slowdown, mbit, trip_ms) in enumerate(axes, 1):
        cell = Cell(mbit, trip_ms, slowdown, share)
        found = kept.get(asdict(cell))
        if found is None:
            emulator.change(cell.link)
            with load.of(share):
                found = measuring.run(cell).kept()
            kept.add(asdict(cell), found)
        outcomes.append(Outcome(cell, **found))
        print(f"{number}/{len(axes)} {_line(outcomes[-1])}", flush=True)
    return outcomes


@dataclass(frozen=True)
class _Load:
    """What others ask of the cloud, in an open loop, from the core that the cloud has."""

    cloud: Cloud
    setup: Setup
    model: str
    times: TailTimes
    folder: Path
    core: int

    @contextlib.contextmanager
    def of(self, share: float) -> Iterator[None]:
        """Keep the cloud busy for this share of its time; begun anew for each cell, as a load has an end."""
        if not share:
            yield
            return
        names = list(self.times.alone_s)
        point = _LOADED_POINT if _LOADED_POINT in names else names[len(names) // 2]
        if not any(self.folder.glob("*.frame")):
            build_frames(self.folder, self.setup, [point], 4, 10_000, self.model)
        rate = share / self.times.alone_s[point]  # frames/s of all clients together
        command = [
            "-m", "bench", "load", "--url", self.cloud.url, "--frames", str(self.folder), "--split-points", point,
            "--rate", f"{rate / _LOADING_CLIENTS:.3f}", "--clients", str(_LOADING_CLIENTS),
            "--seconds", f"{min(_LOADED_S, _LOADING_FRAMES / rate):.0f}", "--warm", "0",
        ]  # fmt: skip
        process = Process(command)
        with on_core(self.core):
            process.start()
        with process:
            time.sleep(_SETTLE_S)
            yield
            if not process.is_up():
                raise RuntimeError(f"the load on the cloud ended early:\n{process.said()}")


def _line(outcome: Outcome) -> str:
    cell = outcome.cell
    return (
        f"{cell.mbit_per_s:g} Mbit/s, {cell.round_trip_ms:g} ms, edge x{cell.slowdown:g}, load {cell.load:g}: {outcome.chosen} "
        f"{outcome.value_ms(outcome.chosen):.1f} ms (predicted {outcome.predicted_ms:.1f}, seen {outcome.measured_ms:.1f}); best "
        f"{outcome.best} {outcome.value_ms(outcome.best):.1f}; ratio {outcome.ratio:.3f}, gain {outcome.gain:.2f}"
    )
