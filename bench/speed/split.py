"""The split system against the unsplit network, on the same clip and the same engine.

Unsplit is an edge with the split point `output`: the same capture and preprocessing, the whole network, nothing travels.
Edge and cloud share this machine's cores here, so two machines would give more; what this shows is the price of
splitting: encoding, HTTP, decoding, two runtimes beside each other.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.harness import proc
from bench.harness.system import Cloud, Edge, running_cloud
from bench.report.plots import Bars, Figure
from bench.report.progress import Outline
from bench.report.report import Findings, Table
from bench.report.spread import Spread, over_rounds, percentile, ratio_of_rounds, several
from bench.speed.window import frames_needed, watch

if TYPE_CHECKING:
    from bench.harness.options import Options
    from bench.harness.system import Setup
    from bench.report.progress import Progress
    from bench.report.report import Cell

_UNSPLIT = "output"
_PICTURE = "input"


@dataclass(frozen=True)
class _Run:
    frames_per_s: float
    p50_ms: float
    p95_ms: float
    cpu_s_per_frame: float
    bytes_per_frame: float


def outline(options: Options) -> Outline:
    effort = options.effort
    runs = effort.rounds * (1 + len(effort.split_points))
    return Outline("split", 1 + runs, 6 + runs * (5 + (effort.warm_frames + effort.frames) / 20))


def measure(options: Options, progress: Progress) -> Findings:
    """Rounds over [unsplit, every split point]; one cloud for all."""
    effort = options.effort
    points = [_UNSPLIT, *effort.split_points]
    runs: dict[str, list[_Run]] = {point: [] for point in points}
    progress.step("starting a cloud")
    with running_cloud(options.setup) as cloud:
        engine, setup = cloud.engine(), options.setup.like(cloud)
        for number in range(1, effort.rounds + 1):
            for point in points:
                progress.step(f"{_label(point)}, round {number} of {effort.rounds}")
                runs[point].append(_run(setup, cloud, point, effort.warm_frames, effort.frames))
    note = (
        f"Medians (min–max over {several(effort.rounds, 'round')}) of {effort.frames} frames a run, after {effort.warm_frames} for "
        "warming up and without start-up. A ratio is to the unsplit run of the same round. Edge and cloud share this "
        "machine's cores. A file is read as fast as it is answered, so a good part of the latency is waiting."
    )
    rows = [_row(point, runs[point], runs[_UNSPLIT]) for point in points]
    return Findings(engine, [Table("split", "Split against unsplit", note, rows)], [_figure(points, runs)])


def _run(setup: Setup, cloud: Cloud, point: str, warm: int, frames: int) -> _Run:
    split = point != _UNSPLIT
    edge = Edge(
        setup,
        cloud.url if split else None,
        point,
        ("jpeg" if point == _PICTURE else "int8+zstd") if split else None,
        frames_needed(warm=warm, frames=frames),
    )
    with edge:
        window = watch(
            edge,
            lambda: proc.cpu_s(edge.pid) + proc.cpu_s(cloud.pid),
            warm=warm,
            frames=frames,
            answered_by="cloud" if split else "edge",
        )[0]
    latencies = [record["latency_ms"] for record in window.records]
    return _Run(
        window.frames_per_s,
        percentile(latencies, 50),
        percentile(latencies, 95),
        (window.after - window.before) / frames,
        statistics.mean(record["payload_bytes"] for record in window.records),
    )


def _row(point: str, runs: list[_Run], unsplit: list[_Run]) -> dict[str, Cell]:
    def over(field: str) -> Spread:
        return over_rounds([getattr(run, field) for run in runs])

    def ratio(field: str) -> Spread:
        return ratio_of_rounds([getattr(r, field) for r in runs], [getattr(r, field) for r in unsplit])

    return {
        "split point": _label(point),
        "codec": "" if point == _UNSPLIT else "jpeg" if point == _PICTURE else "int8+zstd",
        "frames/s": over("frames_per_s"),
        "of unsplit": ratio("frames_per_s"),
        "latency p50 ms": over("p50_ms"),
        "latency p95 ms": over("p95_ms"),
        "CPU ms/frame": over_rounds([1e3 * run.cpu_s_per_frame for run in runs]),
        "CPU of unsplit": ratio("cpu_s_per_frame"),
        "bytes/frame": round(statistics.median(run.bytes_per_frame for run in runs)),
    }


def _figure(points: list[str], runs: dict[str, list[_Run]]) -> Figure:
    labels = [_label(point) for point in points]
    rates = [over_rounds([run.frames_per_s for run in runs[point]]) for point in points]
    cpu = [over_rounds([1e3 * run.cpu_s_per_frame for run in runs[point]]) for point in points]
    return Figure(
        "split",
        "Split against unsplit, edge and cloud on one machine",
        [
            Bars("frames/s", labels, {"edge + cloud": rates}),
            Bars("CPU ms per frame", labels, {"edge + cloud": cpu}),
        ],
    )


def _label(point: str) -> str:
    return "unsplit" if point == _UNSPLIT else point
