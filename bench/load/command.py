"""`python -m bench load`: the load generator alone, against any cloud."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import math
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from bench.harness.frames import build_frames, read_frames
from bench.harness.options import SystemOptions, kept_or_temporary, number_between, option
from bench.harness.process import ROOT, environment
from bench.load.connection import Connection
from bench.load.generator import Generator, Load
from bench.load.result import LoadResult, result_of
from shared.errors import SettingsError
from shared.security.tls.context import TLSFiles, client_context
from shared.security.tokens.bearer import Bearer
from shared.wire.http import CONTENT_TYPE

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping, Sequence

_MAX_CLIENTS, _MAX_SECONDS = 4096, 3600.0
MIXED = ("layer2", "layer3", "layer4")
_FRAMES = 8
_OTHER_FILES = 24
"""What a process has open beside its connections."""


def _url(text: str) -> SplitResult:
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise argparse.ArgumentTypeError("not a URL such as http://127.0.0.1:8881 or https://cloud:8881")
    return url


_SECONDS = number_between(float, 0, _MAX_SECONDS)


@dataclass(frozen=True)
class LoadOptions(SystemOptions):
    """Send frames to a cloud from many clients; latencies count from when a request was due."""

    command = "load"

    url: SplitResult = option(urlsplit("http://127.0.0.1:8881"), "of the cloud", type=_url)
    ca: str = option("", "file of the CAs to believe, with an https URL (default: the system's)")
    token_files: tuple[str, ...] = option((), "the clients' tokens, one a file, client by client in turn")
    clients: int = option(16, "how many", type=number_between(int, 1, _MAX_CLIENTS))
    seconds: float = option(10.0, "measured", type=number_between(float, 0.1, _MAX_SECONDS))
    warm: float = option(1.0, "seconds before", type=_SECONDS)
    rate: float = option(1.0, "frames/s of each client", type=number_between(float, 0.001, 1e4))
    closed: bool = option(False, "each client sends when it has its answer")
    connections: int = option(4, "of each client (open loop)", type=number_between(int, 1, 64))
    timeout: float = option(30.0, "seconds for an answer", type=number_between(float, 0.1, 600))
    split_points: tuple[str, ...] = option(MIXED, "client by client in turn")
    own_addresses: bool = option(False, "each client from an address of its own, at a cloud on this machine")
    deadline_ms: int = option(0, "in the frames; 0: none", type=number_between(int, 0, 600_000))
    frames: Path | None = option(
        None, "folder of frames, which gets those it lacks (default: none is kept)", type=Path
    )
    seed: int = option(0, "of the clients' phases")
    json: bool = option(False, "one JSON line")

    @property
    def load(self) -> Load:
        rate = None if self.closed else self.rate
        return Load(
            self.clients, self.seconds, rate, self.warm, self.connections, self.timeout, seed=self.seed
        )

    def context(self) -> ssl.SSLContext | None:
        """For an https URL. Raises SettingsError."""
        return client_context(TLSFiles(authority=self.ca or None)) if self.url.scheme == "https" else None

    def connections_of(self) -> Callable[[SplitResult], Connection]:
        """Makes the connections, client by client."""
        context, numbers = self.context(), itertools.count()
        each = 1 if self.closed else self.connections

        def connect(url: SplitResult) -> Connection:
            number = next(numbers) // each
            return Connection(url, context, source=_loopback(number) if self.own_addresses else None)

        return connect

    def requests(self, frames: Sequence[Sequence[bytes]]) -> list[list[bytes]]:
        """For one client after another, from the first again where they end. Raises SettingsError for files without a token."""
        shown = [Bearer.of_file(path).headers() for path in self.token_files] or [{}]
        kinds = min(self.clients, math.lcm(len(frames), len(shown)))
        turns = zip(itertools.cycle(frames), itertools.cycle(shown), range(kinds), strict=False)
        return [
            [request_head(self.url, len(frame), head) + frame for frame in each] for each, head, _ in turns
        ]

    def wrong(self) -> str | None:
        if self.ca and self.url.scheme != "https":
            return "--ca needs an https URL"
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if self.clients * (1 if self.closed else self.connections) <= files - _OTHER_FILES:
            return None
        return f"this process may open {files} files (ulimit -n): fewer --clients or --connections"


def main(arguments: Sequence[str]) -> int:
    """Send the load, wait for the answers, print the result. Exit status 1 if nothing was answered."""
    options = LoadOptions.read(arguments)
    points = options.split_points
    with kept_or_temporary(options.frames) as folder:
        if missing := [point for point in points if not any(folder.glob(f"{point}-*.frame"))]:
            build_frames(folder, options.setup, missing, _FRAMES, options.deadline_ms)
        frames = [read_frames(folder, point) for point in points]
    try:
        generator = Generator(options.url, options.requests(frames), options.load, options.connections_of())
        result = result_of(asyncio.run(generator.run()), len(points))
    except (SettingsError, ValueError) as error:
        print(f"python -m bench load: {error}", file=sys.stderr)
        return 2
    print(_json(result) if options.json else _text(result))
    return 0 if result.answered else 1


def _loopback(number: int) -> str:
    """An address of this machine for each of 4096 clients."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


def run_load(
    url: str, frames: Path, points: Sequence[str], load: Load, *, own_addresses: bool = False
) -> LoadResult:
    """The generator in a process of its own, so that its work and its waiting are not the caller's.

    Raises RuntimeError if nothing was answered.
    """
    command = [
        sys.executable, "-m", "bench", "load", "--json", "--url", url, "--frames", str(frames), "--split-points",
        ",".join(points), "--clients", str(load.clients), "--seconds", str(load.seconds), "--warm", str(load.warm_s),
        "--connections", str(load.connections), "--timeout", str(load.timeout_s), "--seed", str(load.seed),
        *(["--closed"] if load.rate is None else ["--rate", str(load.rate)]), *(["--own-addresses"] if own_addresses else []),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the load generator had no answer:\n{done.stdout}{done.stderr}")
    return LoadResult(**json.loads(done.stdout))


def request_head(url: SplitResult, size: int, headers: Mapping[str, str], query: str = "") -> bytes:
    """What stands before a frame of so many bytes."""
    lines = {"Host": url.netloc, "Content-Type": CONTENT_TYPE, "Content-Length": str(size), **headers}
    fields = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {url.path.rstrip('/')}/model{query} HTTP/1.1\r\n{fields}\r\n".encode("ascii")


def _json(result: LoadResult) -> str:
    """The latency of nothing is null: NaN is not JSON."""
    fields = asdict(result).items()
    return json.dumps({name: None if value != value else value for name, value in fields})  # noqa: PLR0124


def _text(result: LoadResult) -> str:
    return "\n".join(
        f"{name:<18}{f'{value:.3f}' if isinstance(value, float) else value}"
        for name, value in asdict(result).items()
    )
