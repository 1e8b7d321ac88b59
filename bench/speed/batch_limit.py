"""What a larger batch is worth: throughput and waiting of 16 clients against the cloud's --max-batch."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.harness.system import Cloud
from bench.load.generator import Load
from bench.load.served import columns, run_measured, warm_up
from bench.report.plots import Figure, Lines
from bench.report.progress import Outline
from bench.report.report import Table
from bench.report.spread import over_rounds, several

if TYPE_CHECKING:
    from pathlib import Path

    from bench.harness.options import Options
    from bench.harness.system import Setup
    from bench.load.served import Measured
    from bench.report.progress import Progress
    from bench.report.spread import Spread

_CLIENTS = 16
_POINT = "layer3"


@dataclass(frozen=True)
class Limits:
    """The table and its plot."""

    table: Table
    figure: Figure


def outline(options: Options) -> Outline:
    limits, effort = len(options.effort.batch_limits), options.effort
    runs = limits * effort.rounds
    return Outline(
        "batch limits", limits + runs, limits * 6 + runs * (effort.load_s + effort.load_warm_s + 0.5)
    )


def measure(options: Options, progress: Progress, setup: Setup, frames: Path) -> Limits:
    """One cloud for each limit, all up at once and one at work: rounds can then be interleaved."""
    effort = options.effort
    runs: dict[int, list[Measured]] = {limit: [] for limit in effort.batch_limits}
    with contextlib.ExitStack() as ends:
        clouds = {}
        for limit in effort.batch_limits:
            progress.step(f"starting a cloud with --max-batch {limit}")
            clouds[limit] = ends.enter_context(Cloud(setup, "--max-batch", str(limit)))
            clouds[limit].wait_until_ready()
            warm_up(clouds[limit], frames, [_POINT])
        for number in range(1, effort.rounds + 1):
            for limit, cloud in clouds.items():
                progress.step(f"--max-batch {limit}, round {number} of {effort.rounds}")
                load = Load(_CLIENTS, effort.load_s, warm_s=effort.load_warm_s)
                runs[limit].append(run_measured(cloud, frames, [_POINT], load))
    note = f"{_CLIENTS} clients in a closed loop at {_POINT}. Medians (min–max over {several(effort.rounds, 'round')} of {effort.load_s:g} s)."
    rows = [{"max batch": limit, **columns(measured)} for limit, measured in runs.items()]
    return Limits(Table("batch_limit", "The limit of a batch", note, rows), _figure(runs))


def _figure(runs: dict[int, list[Measured]]) -> Figure:
    def curve(field: str) -> dict[str, list[tuple[float, Spread]]]:
        return {
            f"{_CLIENTS} clients at {_POINT}": [
                (float(limit), over_rounds([getattr(run.result, field) for run in measured]))
                for limit, measured in runs.items()
            ]
        }

    return Figure(
        "batch_limit",
        f"Throughput and p99 against the limit of a batch, {_CLIENTS} clients at {_POINT}",
        [
            Lines("--max-batch", "answered/s", curve("throughput_per_s"), "x"),
            Lines("--max-batch", "p99 ms", curve("p99_ms"), "x"),
        ],
    )
