"""Cloud and edge as processes on this machine, started afresh, watched and ended by a benchmark."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from bench.harness.keys import WATCHER
from bench.harness.process import HERE, Process, free_port
from bench.harness.scrape import Metrics, parse

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Sequence
    from http.client import HTTPResponse
    from pathlib import Path

    from bench.harness.keys import Keys
    from bench.harness.process import Checkout

_START_S = 240.0
_POLL_S = 0.02
"""Short: the soak measures how fast edges come back from when the cloud is ready."""
_CHUNK_BYTES = 1 << 16
_SILENT_S = 240.0
"""An edge without a record for this long gives no more: its source was too short, or it hangs."""


@dataclass(frozen=True)
class Setup:
    """What every process of a run is given, cloud, edge and workers alike. None leaves the process its default."""

    weights: str | None
    source: str
    engine: str | None = None
    precision: str | None = None
    threads: int | None = None
    model: str | None = None

    def flags(self) -> list[str]:
        """Flags for `python -m cloud` and `python -m edge`, without the source."""
        given = asdict(self) | {"source": None}
        return [f"--{name}={value}" for name, value in given.items() if value is not None]

    def like(self, cloud: Cloud) -> Setup:
        """With the engine and precision that this cloud has chosen, so that the others of a comparison use the same."""
        engine = cloud.describe().get("engine")
        if not isinstance(engine, dict):
            return self
        return replace(self, engine=engine.get("name"), precision=engine.get("precision"))


class Cloud(Process):
    """`python -m cloud`, always at the same address; with `keys` it speaks TLS and asks for tokens."""

    def __init__(
        self,
        flags: Sequence[str],
        *,
        log: Path | None = None,
        checkout: Checkout = HERE,
        keys: Keys | None = None,
    ) -> None:
        self.port = free_port()
        self.keys = keys
        self.url = f"{'https' if keys else 'http'}://127.0.0.1:{self.port}"
        flags = [*flags, *(keys.cloud_flags() if keys else [])]
        super().__init__(["-m", "cloud", *flags, "--port", str(self.port)], log=log, checkout=checkout)

    def wait_until_ready(self, seconds: float = _START_S) -> float:
        """The wall-clock time at which it began to take frames. Raises RuntimeError if it does not within `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(urllib.error.URLError, OSError), self._ask("/readyz", 5):
                return time.time()
            if not self.is_up() or time.monotonic() > deadline:
                raise RuntimeError(f"the cloud is not ready within {seconds:g} s:\n{self.said()}")
            time.sleep(_POLL_S)

    def describe(self) -> dict[str, Any]:
        """The answer of `GET /model`."""
        with self._ask("/model", 30) as response:
            description: dict[str, Any] = json.load(response)
        return description

    @property
    def context(self) -> ssl.SSLContext | None:
        """For its clients, if it speaks TLS."""
        return self.keys.context if self.keys else None

    def headers(self, name: str = WATCHER) -> dict[str, str]:
        """What the client of this name shows."""
        return self.keys.headers(name) if self.keys else {}

    def metrics(self) -> Metrics:
        """All of them, now."""
        with self._ask("/metrics", 30) as response:
            return parse(response.read().decode())

    def _ask(self, path: str, timeout_s: float) -> HTTPResponse:
        request = urllib.request.Request(self.url + path, headers=self.headers())
        answer: HTTPResponse = urllib.request.urlopen(request, timeout=timeout_s, context=self.context)
        return answer

    def engine(self) -> str:
        """The engine, precision and threads that are in force, for people."""
        return engine_in_force(self.describe())


@contextlib.contextmanager
def running_cloud(setup: Setup, *flags: str) -> Iterator[Cloud]:
    """A fresh cloud, ResNet-50 unless a flag says otherwise, that takes frames."""
    with Cloud([*setup.flags(), *flags]) as cloud:
        cloud.wait_until_ready()
        yield cloud


class Edge(Process):
    """`python -m edge`, with its records as they come. It stays up after the last one, so that it can be sampled."""

    def __init__(
        self,
        setup: Setup,
        cloud_url: str | None,
        split_point: str,
        codec: str | None,
        frames: int,
        *flags: str,
        checkout: Checkout = HERE,
    ) -> None:
        """`cloud_url` is None at the split point `output`, where nothing travels."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [
            "-m", "edge", "--source", setup.source, "--frames", str(frames), "--split-point", split_point,
            "--results", "-", "--show", "quiet", "--status-port", str(port), "--at-end", "stay", "--deadline-s", "60",
            *([] if cloud_url is None else ["--cloud-url", cloud_url]),
            *([] if codec is None else ["--codec", codec]),
            *setup.flags(), *flags,
        ]  # fmt: skip
        super().__init__(command, checkout=checkout, stdout=subprocess.PIPE)
        self._frames = frames

    def records(self) -> Iterator[tuple[dict[str, Any], float]]:
        """Each record and its arrival in monotonic seconds. Raises RuntimeError if there are too few of them."""
        assert self.process.stdout is not None
        pipe = self.process.stdout.fileno()
        count, rest = 0, b""
        while count < self._frames:
            readable, _, _ = select.select([pipe], [], [], _SILENT_S)
            chunk = os.read(pipe, _CHUNK_BYTES) if readable else b""
            if not chunk:
                raise RuntimeError(f"the edge gave {count} of {self._frames} records:\n{self.said()}")
            arrived = time.monotonic()
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                count += 1
                yield json.loads(line), arrived


def engine_in_force(description: dict[str, Any]) -> str:
    """The engine in the answer of `GET /model`, for people."""
    engine = description.get("engine")
    if not isinstance(engine, dict):
        return "not said by the cloud"
    name, precision, threads = (engine.get(key, "?") for key in ("name", "precision", "threads"))
    return f"{name} {precision}, {threads} thread{'' if threads == 1 else 's'}"
