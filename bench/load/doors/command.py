"""`python -m bench doors`: what `/v2` costs beside the cloud's own door, kind after kind, round by round."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from bench.harness.frames import build_frames, build_picture, read_frames
from bench.harness.process import cpu_s
from bench.harness.system import Cloud
from bench.load.connection import Connection, ExchangeError
from bench.load.doors.options import DoorsOptions
from bench.load.doors.requests import V2, kinds, picture_sizes, sizes
from bench.report.progress import Outline, Progress
from bench.report.report import Findings, Table, about, publish
from bench.report.spread import over_rounds, ratio_of_rounds, several
from shared.codecs import make_codec
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.profile import Profile
from shared.network.partition import INPUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.load.doors.requests import Kind
    from bench.report.report import Cell
    from shared.codecs.base import Codec

_TIMEOUT_S = 30.0
_REQUEST_S = 0.03
_TARGET = "at most 1.2"
_CODECS = ("float16+zstd", "int8", "int8+zstd")
_PICTURES = ("raw", "png", "jpeg", "webp")


class _Cost(NamedTuple):
    """CPU of the cloud for one request, in milliseconds."""

    whole: float
    without_tail: float


def main(arguments: Sequence[str]) -> int:
    # RuntimeError: a process of the benchmark failed; the text is what it said.
    return DoorsOptions.read(arguments).report(_run, RuntimeError, ExchangeError)


def _run(options: DoorsOptions) -> list[Path]:
    """The files that were written."""
    measured_on = about(options.weights, options.setup.source)
    print(measured_on, flush=True)
    runs = 4 * options.rounds
    seconds = 15 + runs * options.requests * _REQUEST_S
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="splitdnn-doors-")))
        progress = stack.enter_context(contextlib.closing(Progress([Outline("doors", 1 + runs, seconds)])))
        progress.section()
        progress.step("a frame, and a cloud that starts")
        point = options.split_point
        build_frames(folder, options.setup, [point], 1, model=options.model)
        (frame,) = read_frames(folder, point)
        build_picture(folder, options.setup, _PICTURES, options.model)
        cloud = stack.enter_context(Cloud([*options.setup.flags(), f"--split-point={point}"]))
        cloud.wait_until_ready()
        name, engine = cloud.describe()["model"], cloud.engine()
        compared = kinds(name, frame)
        costs = asyncio.run(_costs(options, cloud, compared, progress))
        tables = [_cost_table(options, compared, costs), _size_table(options, name, frame, folder)]
    return publish(options.results, "doors", Findings(engine, tables), measured_on)


async def _costs(
    options: DoorsOptions, cloud: Cloud, compared: Sequence[Kind], progress: Progress
) -> dict[Kind, list[_Cost]]:
    """For each kind its cost in every round, over one connection each."""
    costs: dict[Kind, list[_Cost]] = defaultdict(list)
    connections = {kind: Connection(urlsplit(cloud.url)) for kind in compared}
    for kind in compared:
        await _ask(connections[kind], kind, options.warm_requests)
    by_name = {f"{kind.door} {kind.carries}": kind for kind in compared}
    for name in progress.rounds(options.rounds, list(by_name), "{}"):
        kind = by_name[name]
        before, tails_before = cpu_s(cloud.pid), _tails_s(cloud)
        await _ask(connections[kind], kind, options.requests)
        took, tails = cpu_s(cloud.pid) - before, _tails_s(cloud) - tails_before
        costs[kind].append(_Cost(*(1e3 * each / options.requests for each in (took, took - tails))))
    return costs


async def _ask(connection: Connection, kind: Kind, count: int) -> None:
    for _ in range(count):
        answer = await connection.exchange(kind.request, _TIMEOUT_S)
        if answer.status != 200:
            raise ExchangeError(f"{kind.door} {kind.carries}: {answer.status} {answer.body[:200]!r}")


def _tails_s(cloud: Cloud) -> float:
    return cloud.metrics().value("splitdnn_cloud_stage_cpu_seconds_total", stage="tail") or 0.0


def _cost_table(options: DoorsOptions, compared: Sequence[Kind], costs: Mapping[Kind, list[_Cost]]) -> Table:
    rows: list[dict[str, Cell]] = []
    own = {kind.carries: kind for kind in compared if kind.beside is None}
    for kind in compared:
        row: dict[str, Cell] = {
            "door": kind.door,
            "body": kind.carries,
            "bytes": kind.body,
            "CPU ms": over_rounds([each.whole for each in costs[kind]]),
            "without the tail": over_rounds([each.without_tail for each in costs[kind]]),
            "ratio": None,
            "target": None,
        }
        if kind.beside is not None:
            under = costs[own[kind.beside]]
            row["ratio"] = ratio_of_rounds(*([each.whole for each in many] for many in (costs[kind], under)))
            row["ratio without the tail"] = ratio_of_rounds(
                *([each.without_tail for each in many] for many in (costs[kind], under))
            )
            row["target"] = _TARGET
        rows.append(row)
    note = (
        f"CPU of the cloud for a request, by the kernel, one thread, one client, one connection: medians (min–max) of {several(options.rounds, 'round')} "
        f"of {options.requests} requests each. `ratio` is {V2}'s over that of the same crossing by the cloud's own door in the same round. Each window holds one "
        "reading of the metrics."
    )
    return Table("doors", "What a request costs by either door", note, rows)


def _size_table(options: DoorsOptions, name: str, frame: bytes, pictures: Path) -> Table:
    codecs: dict[str, Codec] = {each: make_codec(each) for each in _CODECS}
    if options.profile:
        codecs[Calibrated.name] = Calibrated(Profile.from_bytes(Path(options.profile).read_bytes()))
    rows = _size_rows(options.split_point, sizes(name, frame, codecs))
    files = {each: (pictures / f"{each}.frame").read_bytes() for each in _PICTURES}
    rows += _size_rows(INPUT, picture_sizes(name, files))
    note = (
        "One picture of the source: bytes of the whole body of an inference request, JSON included. At `input` frames carry the picture as the network takes "
        "it, before its values are normalised."
    )
    return Table("doors-bytes", "What a request is long", note, rows)


def _size_rows(point: str, found: Sequence[tuple[str, int]]) -> list[dict[str, Cell]]:
    return [
        {"at": point, "body": carries, "bytes": size, "FP32 over it": found[0][1] / size}
        for carries, size in found
    ]
