"""The binary contract against JSON at the same split points, to the same cloud.

Two simple clients take turns, each with one request at a time: a binary frame, and the same tensor as nested lists in JSON.
They differ in the format alone; the edge itself, with several requests under way, is measured by the section `split`.
How the system compares with the one it began as is recorded in docs/benchmarks.md.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from bench.harness.system import running_cloud
from bench.harness.worker import Worker
from bench.report.plots import Bars, Figure
from bench.report.progress import Outline, Progress
from bench.report.report import Cell, Findings, Table
from bench.report.spread import over_rounds, ratio_of_rounds, several
from bench.speed.halves import Halves

if TYPE_CHECKING:
    from bench.speed.options import SpeedOptions

_MIN_FRAMES = 3
_CLIENTS = ("binary", "JSON")


def outline(options: SpeedOptions) -> Outline:
    steps = options.rounds * len(options.json_points) * len(_CLIENTS)
    return Outline("json", 1 + steps, 15 + steps * (options.json_s + 1))


def measure(options: SpeedOptions, progress: Progress) -> Findings:
    """Rounds over the split points, at each the two clients in turn."""
    points = options.json_points
    cases = [(point, client) for point in points for client in _CLIENTS]
    results: dict[tuple[str, str], list[dict[str, float]]] = {case: [] for case in cases}
    progress.step("starting a cloud and its clients")
    with running_cloud(options.setup) as cloud:
        engine, setup = cloud.engine(), options.setup.like(cloud)
        with Worker(Halves, setup) as worker:
            for point, client in progress.rounds(options.rounds, cases, "{1} at {0}"):
                result = worker.ask(Halves.send, cloud.url, client, point, options.json_s, _MIN_FRAMES)
                results[point, client].append(result)
    note = (
        f"Frames/s of one client with one request at a time, medians (min–max over {several(options.rounds, 'round')}) of at "
        f"least {options.json_s:g} s and {_MIN_FRAMES} frames each: encoding, sending, the cloud's tail and its answer; the "
        "heads ran before. `binary` is int8+zstd. Ratios are of the same round."
    )
    rows = [_row(point, {client: results[point, client] for client in _CLIENTS}) for point in points]
    rates = {
        client: [over_rounds([each["frames_per_s"] for each in results[point, client]]) for point in points]
        for client in _CLIENTS
    }
    title = "One client, one request at a time: a binary frame against JSON"
    figure = Figure("json", title, [Bars("frames/s", points, rates)])
    return Findings(engine, [Table("json", "Binary against JSON", note, rows)], [figure])


def _row(point: str, results: dict[str, list[dict[str, float]]]) -> dict[str, Cell]:
    rates = {client: [each["frames_per_s"] for each in rounds] for client, rounds in results.items()}
    return {
        "split point": point,
        **{f"{client} frames/s": over_rounds(rates[client]) for client in _CLIENTS},
        "binary / JSON": ratio_of_rounds(rates["binary"], rates["JSON"]),
        **{
            f"{client} bytes/frame": round(statistics.median(each["bytes_per_frame"] for each in rounds))
            for client, rounds in results.items()
        },
    }
