"""`python -m bench load`: the load generator alone, against any cloud."""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from bench.harness.frames import build_frames, read_frames
from bench.harness.options import add_setup_flags, number_between, read_setup_flags
from bench.harness.system import ROOT, environment
from bench.load.generator import Load, generate
from bench.load.result import LoadResult, result_of
from shared.wire.http import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_CLIENTS, _MAX_SECONDS = 4096, 3600.0
MIXED = ("layer2", "layer3", "layer4")
_FRAMES = 8
_OTHER_FILES = 24
"""What a process has open beside its connections."""


def main(arguments: Sequence[str]) -> int:
    """Send, wait, print. Ends by itself; exit status 1 if nothing was answered."""
    given = _parse(arguments)
    load = Load(
        clients=given.clients,
        seconds=given.seconds,
        rate=None if given.closed else given.rate,
        warm_s=given.warm,
        connections=given.connections,
        timeout_s=given.timeout,
        seed=given.seed,
    )
    points = given.split_points.split(",")
    if given.frames:
        requests = [read_requests(given.url, given.frames, point) for point in points]
    else:
        with tempfile.TemporaryDirectory(prefix="splitdnn-load-") as folder:
            build_frames(Path(folder), read_setup_flags(given), points, _FRAMES, given.deadline_ms)
            requests = [read_requests(given.url, Path(folder), point) for point in points]
    try:
        result = result_of(asyncio.run(generate(given.url, requests, load)))
    except ValueError as error:
        print(f"python -m bench load: {error}", file=sys.stderr)
        return 2
    print(_json(result) if given.json else _text(result))
    return 0 if result.answered else 1


def run_load(url: str, frames: Path, points: Sequence[str], load: Load) -> LoadResult:
    """The generator in a process of its own, so that its work and its waiting are not the caller's.

    Raises RuntimeError if nothing was answered.
    """
    command = [
        sys.executable, "-m", "bench", "load", "--json", "--url", url, "--frames", str(frames), "--split-points",
        ",".join(points), "--clients", str(load.clients), "--seconds", str(load.seconds), "--warm", str(load.warm_s),
        "--connections", str(load.connections), "--timeout", str(load.timeout_s), "--seed", str(load.seed),
        *(["--closed"] if load.rate is None else ["--rate", str(load.rate)]),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the load generator had no answer:\n{done.stdout}{done.stderr}")
    return LoadResult(**json.loads(done.stdout))


def read_requests(url: SplitResult, folder: Path, point: str) -> list[bytes]:
    """Whole HTTP requests with the frames that `folder` holds of this split point."""
    return [_request(url, frame) for frame in read_frames(folder, point)]


def _request(url: SplitResult, frame: bytes) -> bytes:
    header = (
        f"POST {url.path.rstrip('/')}/model HTTP/1.1\r\nHost: {url.netloc}\r\n"
        f"Content-Type: {CONTENT_TYPE}\r\nContent-Length: {len(frame)}\r\n\r\n"
    )
    return header.encode("ascii") + frame


def _json(result: LoadResult) -> str:
    """A latency of nothing is null: NaN is not JSON."""
    fields = asdict(result).items()
    return json.dumps({name: None if value != value else value for name, value in fields})  # noqa: PLR0124


def _text(result: LoadResult) -> str:
    return "\n".join(
        f"{name:<18}{f'{value:.3f}' if isinstance(value, float) else value}"
        for name, value in asdict(result).items()
    )


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench load",
        description="Send frames to a cloud from many clients; latencies count from when a request was due.",
    )
    parser.add_argument("--url", type=_url, default="http://127.0.0.1:8881", help="(default: %(default)s)")
    parser.add_argument(
        "--clients", type=number_between(int, 1, _MAX_CLIENTS), default=16, help="(default: %(default)s)"
    )
    parser.add_argument(
        "--seconds",
        type=number_between(float, 0.1, _MAX_SECONDS),
        default=10.0,
        help="measured (default: %(default)s)",
    )
    parser.add_argument(
        "--warm",
        type=number_between(float, 0, _MAX_SECONDS),
        default=1.0,
        help="seconds before (default: %(default)s)",
    )
    parser.add_argument(
        "--rate", type=number_between(float, 0.001, 1e4), default=1.0, help="frames/s of each client"
    )
    parser.add_argument("--closed", action="store_true", help="each client sends when it has its answer")
    parser.add_argument(
        "--connections", type=number_between(int, 1, 64), default=4, help="of each client (open loop)"
    )
    parser.add_argument(
        "--timeout", type=number_between(float, 0.1, 600), default=30.0, help="seconds for an answer"
    )
    parser.add_argument(
        "--split-points", default=",".join(MIXED), help="client by client in turn (%(default)s)"
    )
    parser.add_argument(
        "--deadline-ms", type=number_between(int, 0, 600_000), default=0, help="in the frames; 0: none"
    )
    parser.add_argument("--frames", type=Path, help="folder that python -m bench.harness.frames has filled")
    parser.add_argument("--seed", type=int, default=0, help="of the clients' phases")
    parser.add_argument("--json", action="store_true", help="one JSON line")
    add_setup_flags(parser)
    given = parser.parse_args(arguments)
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if given.clients * (1 if given.closed else given.connections) > files - _OTHER_FILES:
        parser.error(f"this process may open {files} files (ulimit -n): fewer --clients or --connections")
    return given


def _url(text: str) -> SplitResult:
    url = urlsplit(text)
    if url.scheme != "http" or not url.hostname:
        raise argparse.ArgumentTypeError("not a URL such as http://127.0.0.1:8881")
    return url
