"""Many clients on one cloud: how much it answers, how long they wait, and what batching is worth.

Three parts, each in rounds: numbers of clients with mixed split points, first as fast as they are answered and then at fixed
rates; the cloud at its busiest against its own tails with nothing around them, which shows what receiving, decoding and
batching cost; and the limit of a batch. The load generator shares the machine's cores; what it took is a column.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.harness.frames import build_frames
from bench.harness.options import kept_or_temporary
from bench.harness.scrape import scrape
from bench.harness.system import Cloud, Setup, running_cloud
from bench.harness.worker import Worker
from bench.load.command import MIXED, run_load
from bench.load.generator import Load
from bench.report.plots import Figure, Lines
from bench.report.progress import Outline, Progress
from bench.report.report import Cell, Findings, Table
from bench.report.spread import Spread, over_rounds, ratio_of_rounds, several
from bench.speed.halves import Halves

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bench.load.result import LoadResult
    from bench.speed.options import SpeedOptions

_FRAMES = 8
_MANY = 16
"""Clients that keep a cloud busy."""
_LIMITS_POINT = "layer3"
_FIELDS = {"answered/s": "throughput_per_s", "p99 ms": "p99_ms"}
"""What is drawn, and the fields of `LoadResult`."""


@dataclass(frozen=True)
class _Measured:
    """One run of the generator and the cloud's mean batch meanwhile."""

    result: LoadResult
    batch: float


def outline(options: SpeedOptions) -> Outline:
    mixed = options.rounds * sum(1 + len(loads_of(options, clients)) for clients in options.clients)
    bare = 2 * len(options.bare_points) * options.rounds
    limits = len(options.batch_limits)
    runs = mixed + bare + limits * options.rounds
    seconds = 26 + limits * 6 + runs * (options.load_s + options.load_warm_s + 0.5)
    return Outline("clients", 2 + limits + runs, seconds)


def measure(options: SpeedOptions, progress: Progress) -> Findings:
    """The three parts, with the same frames."""
    with kept_or_temporary(None) as frames:
        progress.step("building frames")
        build_frames(frames, options.setup, sorted({*MIXED, *options.bare_points}), _FRAMES)
        progress.step("starting a cloud")
        with running_cloud(options.setup) as cloud:
            engine, setup = cloud.engine(), options.setup.like(cloud)
            _warm_up(cloud, frames, MIXED)
            mixed, mixed_figure = _mixed(options, progress, cloud, frames)
            against = _back_to_back(options, progress, cloud, setup, frames)
        limits, limits_figure = _batch_limits(options, progress, setup, frames)
    return Findings(engine, [mixed, against, limits], [mixed_figure, limits_figure])


def loads_of(options: SpeedOptions, clients: int) -> Sequence[float]:
    """The shares of the capacity to offer; few clients hardly wait for each other, so one share does."""
    loads = options.loads
    return loads if clients >= _MANY else loads[len(loads) // 2 :][:1]


def _mixed(options: SpeedOptions, progress: Progress, cloud: Cloud, frames: Path) -> tuple[Table, Figure]:
    """Runs by clients and share of capacity; 0 is the closed loop, which finds the capacity of its round."""
    runs: dict[tuple[int, float], list[_Measured]] = {}
    for clients in progress.rounds(options.rounds, options.clients, "{} clients, closed loop"):
        closed_loop = runs.setdefault((clients, 0.0), [])
        load = replace(_load(options, clients), seed=len(closed_loop) + 1)
        closed_loop.append(_run_measured(cloud, frames, MIXED, load))
        for share in loads_of(options, clients):
            progress.step(f"{clients} clients, {share:.0%} of it")
            rate = share * closed_loop[-1].result.throughput_per_s / clients
            open_loop = _run_measured(cloud, frames, MIXED, replace(load, rate=rate))
            runs.setdefault((clients, share), []).append(open_loop)
    rows = [
        {"clients": clients, "load": f"open, {share:.0%}" if share else "closed", **_columns(each)}
        for (clients, share), each in sorted(runs.items())
    ]
    note = (
        f"Split points {', '.join(MIXED)} (int8+zstd), one per client in turn. {_medians(options)} Closed loop: each client "
        "sends when it has its answer. Open loop: at fixed rates, together this share of what the closed loop of the same "
        "round gave; latency counts from when a request was due (coordinated omission free) and includes what was never "
        "answered, up to the end of its run. Errors and requests are sums over the rounds. The generator shares the cores."
    )
    lines: dict[str, dict[int, list[_Measured]]] = {}
    for (clients, share), each in sorted(runs.items(), key=lambda item: (item[0][1], item[0][0])):
        lines.setdefault(f"open loop at {share:.0%}" if share else "closed loop", {})[clients] = each
    panels = [
        Lines("clients", name, {line: _curve(by, field) for line, by in lines.items()}, axes)
        for (name, field), axes in zip(_FIELDS.items(), ("x", "xy"), strict=True)
    ]
    title = f"Throughput and p99 against clients, split points {', '.join(MIXED)}"
    return Table("clients", "Clients", note, rows), Figure("clients", title, panels)


def _back_to_back(
    options: SpeedOptions, progress: Progress, cloud: Cloud, setup: Setup, frames: Path
) -> Table:
    """The tails run in a process of their own, in full batches, while the cloud is idle, and the other way round.

    So both have the whole machine in turn.
    """
    batch = int(cloud.describe()["limits"]["max_batch"])
    served: dict[str, list[_Measured]] = {point: [] for point in options.bare_points}
    bare: dict[str, list[float]] = {point: [] for point in options.bare_points}
    with Worker(Halves, setup) as worker:
        for point in options.bare_points:
            worker.ask(Halves.tails, point, batch, 0.1)
            _warm_up(cloud, frames, [point])
        for point in progress.rounds(options.rounds, options.bare_points, f"{_MANY} clients at {{}}"):
            served[point].append(_run_measured(cloud, frames, [point], _load(options)))
            progress.step(f"tails back to back at {point}")
            bare[point].append(worker.ask(Halves.tails, point, batch, options.load_s))
    rows: list[dict[str, Cell]] = [
        {
            "split point": point,
            "bare tails/s": over_rounds(bare[point]),
            "cloud / bare": ratio_of_rounds([run.result.throughput_per_s for run in runs], bare[point]),
            **_columns(runs),
        }
        for point, runs in served.items()
    ]
    note = (
        f"{_MANY} clients in a closed loop at one split point, against the tail called with full batches of {batch} on the same "
        f"engine, in turn. {_medians(options)} The ratio is of the same round."
    )
    return Table("back_to_back", "The cloud against its bare tails", note, rows)


def _batch_limits(
    options: SpeedOptions, progress: Progress, setup: Setup, frames: Path
) -> tuple[Table, Figure]:
    """One cloud for each limit, all up at once and one at work: rounds can then be interleaved."""
    runs: dict[int, list[_Measured]] = {limit: [] for limit in options.batch_limits}
    with contextlib.ExitStack() as ends:
        clouds = {}
        for limit in options.batch_limits:
            progress.step(f"starting a cloud with --max-batch {limit}")
            clouds[limit] = ends.enter_context(running_cloud(setup, "--max-batch", str(limit)))
            _warm_up(clouds[limit], frames, [_LIMITS_POINT])
        for limit in progress.rounds(options.rounds, options.batch_limits, "--max-batch {}"):
            runs[limit].append(_run_measured(clouds[limit], frames, [_LIMITS_POINT], _load(options)))
    clients = f"{_MANY} clients at {_LIMITS_POINT}"
    note = f"{_MANY} clients in a closed loop at {_LIMITS_POINT}. {_medians(options)}"
    rows = [{"max batch": limit, **_columns(measured)} for limit, measured in runs.items()]
    panels = [
        Lines("--max-batch", name, {clients: _curve(runs, field)}, "x") for name, field in _FIELDS.items()
    ]
    figure = Figure("batch_limit", f"Throughput and p99 against the limit of a batch, {clients}", panels)
    return Table("batch_limit", "The limit of a batch", note, rows), figure


def _load(options: SpeedOptions, clients: int = _MANY) -> Load:
    """A closed loop."""
    return Load(clients, options.load_s, warm_s=options.load_warm_s)


def _medians(options: SpeedOptions) -> str:
    return f"Medians (min–max over {several(options.rounds, 'round')} of {options.load_s:g} s)."


def _warm_up(cloud: Cloud, frames: Path, points: Sequence[str]) -> None:
    """Tails are compiled at first use, some for each size of a batch."""
    with contextlib.suppress(RuntimeError):  # within a second there may be no answer yet
        run_load(cloud.url, frames, points, Load(16, 1.0, warm_s=0.0))


def _run_measured(cloud: Cloud, frames: Path, points: Sequence[str], load: Load) -> _Measured:
    """One run of the generator. The mean batch is over the whole of it, its warming up included."""
    before = _batches(cloud)
    result = run_load(cloud.url, frames, points, load)
    after = _batches(cloud)
    tensors, batches = (late - early for late, early in zip(after, before, strict=True))
    return _Measured(result, tensors / batches if batches else 0.0)


def _columns(runs: Sequence[_Measured]) -> dict[str, Cell]:
    """What every table of this section says of its runs."""
    results = [run.result for run in runs]
    return {
        "answered/s": over_rounds([each.throughput_per_s for each in results]),
        "p50 ms": over_rounds([each.p50_ms for each in results]),
        "p99 ms": over_rounds([each.p99_ms for each in results]),
        "p99/p50": over_rounds([each.p99_ms / each.p50_ms for each in results]),
        "slowest/fastest client": over_rounds(
            [each.slowest / each.fastest if each.fastest else 0.0 for each in results]
        ),
        "mean batch": over_rounds([run.batch for run in runs]),
        "503": sum(each.busy for each in results),
        "504": sum(each.late for each in results),
        "other errors": sum(each.refused + each.failed for each in results),
        "unanswered": sum(each.unanswered for each in results),
        "requests": sum(each.answered for each in results),
        "generator CPU, of a core": over_rounds([each.own_cpu for each in results]),
    }


def _curve(runs: Mapping[int, Sequence[_Measured]], field: str) -> list[tuple[float, Spread]]:
    """A field of `LoadResult` against the number that the runs are filed under."""
    return [(float(x), over_rounds([getattr(run.result, field) for run in each])) for x, each in runs.items()]


def _batches(cloud: Cloud) -> tuple[float, float]:
    """Tensors and batches since the cloud's start."""
    metrics = scrape(cloud.url)
    name = "splitdnn_cloud_batch_size"
    return metrics.value(f"{name}_sum") or 0.0, metrics.value(f"{name}_count") or 0.0
