"""The cloud at its busiest against its own tails without anything around them: what receiving, decoding and batching cost.

The tails run in a process of their own, in full batches one after another, while the cloud is idle, and the other way
round: both have the whole machine in turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.harness.worker import Worker
from bench.load.generator import Load
from bench.load.served import columns, run_measured, warm_up
from bench.report.progress import Outline
from bench.report.report import Table
from bench.report.spread import over_rounds, ratio_of_rounds, several

if TYPE_CHECKING:
    from pathlib import Path

    from bench.harness.options import Options
    from bench.harness.system import Cloud, Setup
    from bench.load.served import Measured
    from bench.report.progress import Progress
    from bench.report.report import Cell

_CLIENTS = 16


def outline(options: Options) -> Outline:
    runs = 2 * len(options.effort.bare_points) * options.effort.rounds
    return Outline("back to back", runs, 6 + runs * (options.effort.load_s + 1))


def measure(options: Options, progress: Progress, cloud: Cloud, setup: Setup, frames: Path) -> Table:
    """Rounds over [clients, tails] at each split point."""
    effort = options.effort
    batch = int(cloud.describe()["limits"]["max_batch"])
    served: dict[str, list[Measured]] = {point: [] for point in effort.bare_points}
    bare: dict[str, list[float]] = {point: [] for point in effort.bare_points}
    with Worker("bench.speed.tail_worker", setup.json()) as worker:
        for point in effort.bare_points:
            worker.ask(split_point=point, batch=batch, seconds=0.1)
            warm_up(cloud, frames, [point])
        for number in range(1, effort.rounds + 1):
            for point in effort.bare_points:
                progress.step(f"{_CLIENTS} clients at {point}, round {number} of {effort.rounds}")
                load = Load(_CLIENTS, effort.load_s, warm_s=effort.load_warm_s)
                served[point].append(run_measured(cloud, frames, [point], load))
                progress.step(f"tails back to back at {point}, round {number} of {effort.rounds}")
                bare[point].append(worker.ask(split_point=point, batch=batch, seconds=effort.load_s))
    rows = [_row(point, served[point], bare[point]) for point in effort.bare_points]
    note = (
        f"{_CLIENTS} clients in a closed loop at one split point, against the tail called with full batches of {batch} on the "
        f"same engine, in turn. Medians (min–max over {several(effort.rounds, 'round')} of {effort.load_s:g} s); the ratio is of the "
        "same round."
    )
    return Table("back_to_back", "The cloud against its bare tails", note, rows)


def _row(point: str, served: list[Measured], bare: list[float]) -> dict[str, Cell]:
    rates = [run.result.throughput_per_s for run in served]
    return {
        "split point": point,
        "bare tails/s": over_rounds(bare),
        "cloud / bare": ratio_of_rounds(rates, bare),
        **columns(served),
    }
