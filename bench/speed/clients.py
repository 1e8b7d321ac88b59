"""Many clients on one cloud: how much it answers, how long they wait, and what batching is worth.

Three parts, each in rounds: numbers of clients with mixed split points, first as fast as they are answered and then at
fixed rates; the cloud against its own tails without anything around them (bench/speed/back_to_back.py); and the limit of a
batch (bench/speed/batch_limit.py). The load generator shares the machine's cores; what it took is a column.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.frames import build_frames
from bench.harness.system import running_cloud
from bench.load.command import MIXED
from bench.load.generator import Load
from bench.load.served import columns, run_measured, warm_up
from bench.report.plots import Figure, Lines
from bench.report.progress import Outline
from bench.report.report import Findings, Table
from bench.report.spread import over_rounds, several
from bench.speed import back_to_back, batch_limit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.harness.options import Options
    from bench.harness.system import Cloud
    from bench.load.served import Measured
    from bench.report.progress import Progress
    from bench.report.report import Cell

_FRAMES = 8


def outline(options: Options) -> Outline:
    effort = options.effort
    runs = effort.rounds * sum(1 + len(loads_of(options, clients)) for clients in effort.clients)
    parts = [back_to_back.outline(options), batch_limit.outline(options)]
    seconds = 20 + runs * (effort.load_s + effort.load_warm_s + 0.5) + sum(part.seconds for part in parts)
    return Outline("clients", 2 + runs + sum(part.steps for part in parts), seconds)


def measure(options: Options, progress: Progress) -> Findings:
    """The three parts, with the same frames."""
    with tempfile.TemporaryDirectory(prefix="splitdnn-bench-") as folder:
        frames = Path(folder)
        progress.step("building frames")
        build_frames(frames, options.setup, sorted({*MIXED, *options.effort.bare_points}), _FRAMES)
        progress.step("starting a cloud")
        with running_cloud(options.setup) as cloud:
            engine, setup = cloud.engine(), options.setup.like(cloud)
            warm_up(cloud, frames, MIXED)
            mixed = _mixed(options, progress, cloud, frames)
            against = back_to_back.measure(options, progress, cloud, setup, frames)
        limits = batch_limit.measure(options, progress, setup, frames)
    table = Table("clients", "Clients", _note(options), [_row(*key, runs) for key, runs in mixed.items()])
    return Findings(engine, [table, against, limits.table], [_figure(mixed), limits.figure])


def loads_of(options: Options, clients: int) -> Sequence[float]:
    """At which shares of its capacity; few clients have nobody to wait for, so one share does."""
    loads = options.effort.loads
    return loads if clients >= 16 else loads[len(loads) // 2 :][:1]


def _mixed(
    options: Options, progress: Progress, cloud: Cloud, frames: Path
) -> dict[tuple[int, float], list[Measured]]:
    """By clients and share of capacity; 0 is the closed loop, which finds the capacity of its round."""
    effort = options.effort
    runs: dict[tuple[int, float], list[Measured]] = {}
    for number in range(1, effort.rounds + 1):
        for clients in effort.clients:
            load = Load(clients, effort.load_s, warm_s=effort.load_warm_s, seed=number)
            progress.step(f"{clients} clients, closed loop, round {number} of {effort.rounds}")
            closed = run_measured(cloud, frames, MIXED, load)
            runs.setdefault((clients, 0.0), []).append(closed)
            for share in loads_of(options, clients):
                progress.step(f"{clients} clients, {share:.0%} of it, round {number} of {effort.rounds}")
                rate = share * closed.result.throughput_per_s / clients
                open_loop = run_measured(cloud, frames, MIXED, replace(load, rate=rate))
                runs.setdefault((clients, share), []).append(open_loop)
    return dict(sorted(runs.items()))


def _row(clients: int, share: float, runs: Sequence[Measured]) -> dict[str, Cell]:
    return {"clients": clients, "load": f"open, {share:.0%}" if share else "closed", **columns(runs)}


def _note(options: Options) -> str:
    effort = options.effort
    return (
        f"Split points {', '.join(MIXED)} (int8+zstd), one per client in turn. Medians (min–max over {several(effort.rounds, 'round')} "
        f"of {effort.load_s:g} s). Closed loop: each client sends when it has its answer. Open loop: at fixed rates, together "
        "this share of what the closed loop of the same round gave; latency counts from when a request was due "
        "(coordinated omission free) and includes what was never answered, up to the end of its run. Errors and requests "
        "are sums over the rounds. The generator shares the cores."
    )


def _figure(mixed: dict[tuple[int, float], list[Measured]]) -> Figure:
    shares = sorted({share for _, share in mixed})
    names = {share: f"open loop at {share:.0%}" if share else "closed loop" for share in shares}
    rates, tails = (
        {
            names[share]: [
                (float(clients), over_rounds([getattr(run.result, field) for run in runs]))
                for (clients, of), runs in mixed.items()
                if of == share
            ]
            for share in shares
        }
        for field in ("throughput_per_s", "p99_ms")
    )
    return Figure(
        "clients",
        f"Throughput and p99 against clients, split points {', '.join(MIXED)}",
        [Lines("clients", "answered/s", rates, "x"), Lines("clients", "p99 ms", tails, "xy")],
    )
