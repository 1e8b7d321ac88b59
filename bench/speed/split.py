"""The split system against the unsplit network, on the same clip and the same engine.

Unsplit is an edge with the split point `output`: the same capture and preprocessing, the whole network, nothing travels.
Edge and cloud share this machine's cores, so two machines would give more; what this shows is the price of splitting:
encoding, HTTP, decoding, two runtimes side by side.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from bench.harness.process import cpu_s
from bench.harness.system import Cloud, Edge, Setup, running_cloud
from bench.report.plots import Bars, Figure
from bench.report.progress import Outline, Progress
from bench.report.report import Cell, Findings, Table
from bench.report.spread import Spread, over_rounds, percentile, ratio_of_rounds, several
from bench.speed.points import PICTURE, UNSPLIT, named, points_of, profile_flags
from bench.speed.window import frames_needed, watch

if TYPE_CHECKING:
    from bench.speed.options import SpeedOptions

_POINTS = 3
"""About; how many there are is known only once the network runs."""
_Run = dict[str, float]
"""The results of one run, by column of the table."""


def outline(options: SpeedOptions) -> Outline:
    runs = options.rounds * (1 + (len(options.split_points) or _POINTS))
    return Outline("split", 1 + runs, 6 + runs * (5 + (options.warm_frames + options.frames) / 20))


def measure(options: SpeedOptions, progress: Progress) -> Findings:
    """Rounds over [unsplit, every split point]; one cloud for all."""
    progress.step("starting a cloud")
    with running_cloud(options.setup) as cloud:
        description = cloud.describe()
        engine, setup = cloud.engine(), options.setup.like(cloud)
        points = [UNSPLIT, *points_of(options, description)]
        runs: dict[str, list[_Run]] = {point: [] for point in points}
        for point in progress.rounds(options.rounds, points, "{}"):
            runs[point].append(_run(options, setup, cloud, point))
    note = (
        f"{named(description)}. Medians (min–max over {several(options.rounds, 'round')}) of {options.frames} frames a run, after {options.warm_frames} for "
        "warming up and without start-up. A ratio is to the unsplit run of the same round. Edge and cloud share this "
        "machine's cores. A file is read as fast as it is answered, so a good part of the latency is waiting."
    )
    rows = [_row(point, _codec(point, options.codec), runs[point], runs[UNSPLIT]) for point in points]
    panels = [
        Bars(
            name,
            list(map(_label, points)),
            {"edge + cloud": [over_rounds([run[name] for run in runs[point]]) for point in points]},
        )
        for name in ("frames/s", "CPU ms/frame")
    ]
    figure = Figure("split", "Split against unsplit, edge and cloud on one machine", panels)
    return Findings(engine, [Table("split", "Split against unsplit", note, rows)], [figure])


def _run(options: SpeedOptions, setup: Setup, cloud: Cloud, point: str) -> _Run:
    url, side = (None, "edge") if point == UNSPLIT else (cloud.url, "cloud")
    shape = {"warm": options.warm_frames, "frames": options.frames}
    codec = _codec(point, options.codec)
    flags = profile_flags(options.profile, codec)
    with Edge(setup, url, point, codec, frames_needed(**shape), *flags) as edge:
        [window] = watch(edge, lambda: cpu_s(edge.pid) + cpu_s(cloud.pid), **shape, answered_by=side)
    latencies = [record["latency_ms"] for record in window.records]
    return {
        "frames/s": window.frames_per_s,
        "latency p50 ms": percentile(latencies, 50),
        "latency p95 ms": percentile(latencies, 95),
        "CPU ms/frame": 1e3 * (window.after - window.before) / options.frames,
        "bytes/frame": statistics.mean(record["payload_bytes"] for record in window.records),
    }


def _row(point: str, codec: str | None, runs: list[_Run], unsplit: list[_Run]) -> dict[str, Cell]:
    over = {name: over_rounds([run[name] for run in runs]) for name in runs[0]}

    def ratio(name: str) -> Spread:
        return ratio_of_rounds([run[name] for run in runs], [run[name] for run in unsplit])

    return {
        "split point": _label(point),
        "codec": codec or "",
        "frames/s": over["frames/s"],
        "of unsplit": ratio("frames/s"),
        "latency p50 ms": over["latency p50 ms"],
        "latency p95 ms": over["latency p95 ms"],
        "CPU ms/frame": over["CPU ms/frame"],
        "CPU of unsplit": ratio("CPU ms/frame"),
        "bytes/frame": round(over["bytes/frame"].median),
    }


def _codec(point: str, wanted: str) -> str | None:
    return {UNSPLIT: None, PICTURE: "jpeg"}.get(point, wanted)


def _label(point: str) -> str:
    return "unsplit" if point == UNSPLIT else point
