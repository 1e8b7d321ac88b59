"""Cloud and edge as processes of this machine, as a benchmark needs them: fresh, watched, ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
_START_S = 240.0
_CHUNK_BYTES = 1 << 16
_END_S = 60.0
_SILENT_S = 240.0
"""An edge that gives no record for so long will give none any more: its source was too short, or it hangs."""


@dataclass(frozen=True)
class Setup:
    """What every process of a run is given, cloud, edge and workers alike. None leaves the process its default."""

    weights: str
    source: str
    engine: str | None = None
    precision: str | None = None
    threads: int | None = None

    def flags(self) -> list[str]:
        """For `python -m cloud` and `python -m edge`."""
        given = {"engine": self.engine, "precision": self.precision, "threads": self.threads}
        flags = ["--weights", self.weights]
        for name, value in given.items():
            flags += [] if value is None else [f"--{name}", str(value)]
        return flags

    def like(self, cloud: Cloud) -> Setup:
        """With the engine and precision that this cloud has chosen, so that the others of a comparison have the same."""
        engine = cloud.describe().get("engine")
        if not isinstance(engine, dict):
            return self
        return replace(self, engine=engine.get("name"), precision=engine.get("precision"))

    def json(self) -> str:
        """As the argument of a worker, which reads it with `read_setup`."""
        return json.dumps(asdict(self))


def read_setup(text: str) -> Setup:
    """The other side of `Setup.json`."""
    return Setup(**json.loads(text))


class Process:
    """One process that is ended with the block; what it says on stderr is shown if it fails."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], **streams: Any) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, *command], stderr=self._log, env=environment, cwd=ROOT, **streams
        )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """SIGTERM, and SIGKILL for one that does not mind it."""
        self._process.terminate()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def ended(self) -> bool:
        return self._process.poll() is not None

    def said(self) -> str:
        """The end of its stderr."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-4000:]


class Cloud(Process):
    """`python -m cloud` on a free port."""

    def __init__(self, setup: Setup, *flags: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        super().__init__(["-m", "cloud", "--port", str(port), *setup.flags(), *flags], environment())

    def wait_until_ready(self) -> None:
        """It takes frames. Raises RuntimeError with what it said if it does not come to that."""
        deadline = time.monotonic() + _START_S
        while not _answers(f"{self.url}/readyz"):
            if self.ended() or time.monotonic() > deadline:
                raise RuntimeError(f"the cloud did not start:\n{self.said()}")
            time.sleep(0.1)

    def describe(self) -> dict[str, Any]:
        """What `GET /model` says."""
        with urllib.request.urlopen(f"{self.url}/model", timeout=30) as response:
            description: dict[str, Any] = json.load(response)
        return description

    def engine(self) -> str:
        """The engine, precision and threads that are in force, for people."""
        return engine_in_force(self.describe())


@contextlib.contextmanager
def running_cloud(setup: Setup, *flags: str) -> Iterator[Cloud]:
    """A fresh ResNet-50 cloud that takes frames."""
    with Cloud(setup, *flags) as cloud:
        cloud.wait_until_ready()
        yield cloud


class Edge(Process):
    """`python -m edge`, its records as they come. It stays after the last one, so that it can still be asked."""

    def __init__(
        self,
        setup: Setup,
        cloud_url: str | None,
        split_point: str,
        codec: str | None,
        frames: int,
        *flags: str,
    ) -> None:
        """`cloud_url` None at the split point `output`, where nothing travels."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [
            "-m", "edge", "--source", setup.source, "--frames", str(frames), "--split-point", split_point,
            "--results", "-", "--show", "quiet", "--status-port", str(port), "--at-end", "stay", "--deadline-s", "60",
            *([] if cloud_url is None else ["--cloud-url", cloud_url]),
            *([] if codec is None else ["--codec", codec]),
            *setup.flags(), *flags,
        ]  # fmt: skip
        super().__init__(command, environment(), stdout=subprocess.PIPE)
        self._frames = frames

    def records(self) -> Iterator[tuple[dict[str, Any], float]]:
        """Each record and when it came, in monotonic seconds. Raises RuntimeError if there are too few of them."""
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
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

    def close(self) -> None:
        super().close()
        if self._process.stdout:
            self._process.stdout.close()


def engine_in_force(description: dict[str, Any]) -> str:
    """From the answer of `GET /model`."""
    engine = description.get("engine")
    if not isinstance(engine, dict):
        return "not said by the cloud"
    name, precision, threads = (engine.get(key, "?") for key in ("name", "precision", "threads"))
    return f"{name} {precision}, {threads} thread{'' if threads == 1 else 's'}"


def environment() -> dict[str, str]:
    """Without the settings of whoever runs the benchmark: they would change what is measured."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SPLITDNN_")}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _answers(url: str) -> bool:
    with (
        contextlib.suppress(urllib.error.URLError, OSError),
        urllib.request.urlopen(url, timeout=5) as response,
    ):
        return bool(response.status == 200)
    return False
