"""The binary contract against JSON, and against the whole original system, at the same split points.

Three simple clients take turns, each with one request at a time: a binary frame to our cloud, nested lists in JSON to the
same cloud, and the original's client to the original's server (bench/speed/original.py). The first two differ in the format
alone; the edge itself, with several requests under way, is what the section `split` measures.
"""

from __future__ import annotations

import contextlib
import socket
import statistics
import time
from typing import TYPE_CHECKING

from bench.harness.system import Process, environment, free_port, running_cloud
from bench.harness.worker import Worker
from bench.report.plots import Bars, Figure
from bench.report.progress import Outline
from bench.report.report import Findings, Table
from bench.report.spread import over_rounds, ratio_of_rounds, several

if TYPE_CHECKING:
    from bench.harness.options import Options
    from bench.report.progress import Progress
    from bench.report.report import Cell

_MIN_FRAMES = 3
_START_S = 240.0
_CLIENTS = ("binary", "JSON", "original")


def outline(options: Options) -> Outline:
    effort = options.effort
    steps = effort.rounds * len(effort.json_points) * len(_CLIENTS)
    return Outline("json", 1 + steps, 15 + steps * (effort.json_s + 2))


def measure(options: Options, progress: Progress) -> Findings:
    """Rounds over the split points, at each the three clients in turn."""
    effort = options.effort
    results: dict[tuple[str, str], list[dict[str, float]]] = {}
    progress.step("starting a cloud, the original, and their clients")
    port, untold = str(free_port()), _original_environment()
    with (
        Process(["-m", "bench.speed.original", "server", port, options.setup.json()], untold) as server,
        Worker("bench.speed.original", "client", port, options.setup.json(), variables=untold) as original,
        running_cloud(options.setup) as cloud,
    ):
        engine, setup = cloud.engine(), options.setup.like(cloud)
        with Worker("bench.speed.contract_worker", cloud.url, setup.json()) as ours:
            _wait_for(server, port)
            for number in range(1, effort.rounds + 1):
                for point in effort.json_points:
                    for client in _CLIENTS:
                        progress.step(f"{client} at {point}, round {number} of {effort.rounds}")
                        work = {"split_point": point, "seconds": effort.json_s, "frames": _MIN_FRAMES}
                        result = (
                            original.ask(**work)
                            if client == "original"
                            else ours.ask(contract=client, **work)
                        )
                        results.setdefault((point, client), []).append(result)
    note = (
        f"Frames/s of one client with one request at a time, medians (min–max over {several(effort.rounds, 'round')}) of at least "
        f"{effort.json_s:g} s and {_MIN_FRAMES} frames each. `binary` (int8+zstd) and `JSON` go to the same cloud with the "
        "same engine on both sides; `original` is torch eager on both sides with OpenMP's own threads. Ratios are of the "
        "same round."
    )
    rows = [
        _row(point, {client: results[point, client] for client in _CLIENTS}) for point in effort.json_points
    ]
    return Findings(engine, [Table("json", "Binary against JSON", note, rows)], [_figure(options, results)])


def _original_environment() -> dict[str, str]:
    """Nobody told OpenMP anything."""
    told = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {name: value for name, value in environment().items() if name not in told}


def _wait_for(server: Process, port: str) -> None:
    """Until the original's server takes connections. Raises RuntimeError if it does not come to that."""
    deadline = time.monotonic() + _START_S
    while not server.ended() and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
            return
        time.sleep(0.1)
    raise RuntimeError(f"the original's server did not start:\n{server.said()}")


def _row(point: str, results: dict[str, list[dict[str, float]]]) -> dict[str, Cell]:
    rates = {client: [each["frames_per_s"] for each in rounds] for client, rounds in results.items()}
    sizes = {
        client: round(statistics.median(each["bytes_per_frame"] for each in rounds))
        for client, rounds in results.items()
    }
    return {
        "split point": point,
        **{f"{client} frames/s": over_rounds(rates[client]) for client in _CLIENTS},
        "binary / JSON": ratio_of_rounds(rates["binary"], rates["JSON"]),
        "binary / original": ratio_of_rounds(rates["binary"], rates["original"]),
        **{f"{client} bytes/frame": sizes[client] for client in _CLIENTS},
    }


def _figure(options: Options, results: dict[tuple[str, str], list[dict[str, float]]]) -> Figure:
    points = options.effort.json_points
    rates = {
        client: [over_rounds([each["frames_per_s"] for each in results[point, client]]) for point in points]
        for client in _CLIENTS
    }
    title = "One client, one request at a time: a binary frame, JSON, and the original system"
    return Figure("json", title, [Bars("frames/s", points, rates)])
