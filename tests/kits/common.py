"""What the integration tests stand on: the system as Docker Compose runs it, or as local processes, behind one face.

Everything is addressed at 127.0.0.1, bounded in time, and ended by the id it was started with.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared"
CLIP = DATA / "videos" / "car-detection.mp4"
RESNET50 = DATA / "weights" / "resnet50.pth"
START_S = 240.0
STEP_S = 120.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for(condition: Callable[[], Any], what: str, seconds: float = STEP_S) -> Any:
    """Poll until `condition` gives something true; what it raises meanwhile counts as false."""
    deadline = time.monotonic() + seconds
    last: Exception | None = None
    while time.monotonic() < deadline:
        try:
            if value := condition():
                return value
        except urllib.error.HTTPError as error:
            error.close()
            last = error
        except (OSError, ValueError, LookupError) as error:
            last = error
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds:.0f} s: {what} (last error: {last})")


def get_json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)


def ready(url: str) -> bool:
    with urllib.request.urlopen(f"{url}/readyz", timeout=5) as response:
        return response.status == 200


class EdgeRun:
    """One edge with its records on stdout, read as they come."""

    def __init__(
        self, command: list[str], environment: Mapping[str, str], container: str | None = None
    ) -> None:
        """`container` is whom SIGTERM is for, where the command only stands before it."""
        self._container = container
        self.records: list[dict[str, Any]] = []
        self.errors: list[str] = []
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._readers = [
            threading.Thread(target=self._read, args=(self._process.stdout, self._record), daemon=True),
            threading.Thread(target=self._read, args=(self._process.stderr, self.errors.append), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream: IO[str], take: Callable[[str], None]) -> None:
        for line in stream:
            take(line.rstrip("\n"))

    def _record(self, line: str) -> None:
        if line.startswith("{"):
            self.records.append(json.loads(line))
        else:  # where records go to a file, people are told on stdout
            self.errors.append(line)

    def answered_by(self) -> list[str]:
        return [record["answered_by"] for record in self.records]

    def wait_for_records(self, count: int) -> None:
        def enough() -> bool:
            assert self._process.poll() is None or len(self.records) >= count, self.said()
            return len(self.records) >= count

        wait_for(enough, f"{count} records")

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_up(self) -> bool:
        return self._process.poll() is None

    def finish(self, seconds: float = STEP_S, status: int = 0) -> list[dict[str, Any]]:
        """Wait for its end, which must be a good one, or that with this exit status; its records."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.end()
            raise AssertionError(f"the edge did not end within {seconds:.0f} s\n{self.said()}") from None
        self._close()
        assert code == status, f"exit status {code}\n{self.said()}"
        return self.records

    def terminate(self) -> None:
        if self._container:
            subprocess.run(
                ["docker", "kill", "--signal", "TERM", self._container], check=True, capture_output=True
            )
        else:
            self._process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._close()

    def _close(self) -> None:
        for reader in self._readers:
            reader.join(10)
        self._process.stdout.close()
        self._process.stderr.close()

    def said(self) -> str:
        return "\n".join(self.errors[-30:])


class Deployment(Protocol):
    """A cloud and any number of edges."""

    kind: str
    cloud_url: str

    def edge(self, **settings: str) -> EdgeRun: ...
    def kill_cloud(self) -> None: ...
    def stop_cloud(self) -> None: ...
    def start_cloud(self) -> None: ...
    def prometheus(self) -> str | None: ...
    def scaled(self, edges: int) -> contextlib.AbstractContextManager[list[int]]: ...
    def close(self) -> None: ...


def _edge_settings(settings: dict[str, str]) -> dict[str, str]:
    defaults = {"RESULTS": "-", "SHOW": "quiet", "AT_END": "exit", "STATUS_PORT": "0", "DEADLINE_S": "30"}
    return {f"SPLITDNN_{name.upper()}": value for name, value in (defaults | settings).items()}


class LocalDeployment:
    """Cloud and edges as processes of this machine."""

    kind = "local processes"

    def __init__(self, **settings: str) -> None:
        """`settings` are the cloud's and every edge's (MODEL, WEIGHTS)."""
        self._common = {f"SPLITDNN_{name.upper()}": value for name, value in settings.items()}
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("SPLITDNN_")}
        self._port = free_port()
        self.cloud_url = f"http://127.0.0.1:{self._port}"
        self._cloud: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="splitdnn-test-")
        self._common["SPLITDNN_CACHE_DIR"] = f"{self._folder.name}/cache"
        self.clip = str(CLIP)
        self.start_cloud()

    def start_cloud(self) -> None:
        with (Path(self._folder.name) / "cloud.log").open("ab") as log:
            self._cloud = subprocess.Popen(
                [sys.executable, "-m", "cloud", "--port", str(self._port)],
                cwd=ROOT, env=self._environment | self._common, stderr=log,
            )  # fmt: skip
        wait_for(lambda: ready(self.cloud_url), "a ready cloud", START_S)

    def kill_cloud(self) -> None:
        self._cloud.kill()
        self._cloud.wait()

    def stop_cloud(self) -> None:
        self._cloud.terminate()
        assert self._cloud.wait(STEP_S) == 0

    def edge(self, **settings: str) -> EdgeRun:
        environment = self._environment | self._common | {"SPLITDNN_CLOUD_URL": self.cloud_url}
        return EdgeRun([sys.executable, "-m", "edge"], environment | _edge_settings(settings))

    def prometheus(self) -> str | None:
        return None

    @contextlib.contextmanager
    def scaled(self, edges: int) -> Iterator[list[int]]:
        """Several edges, each on the synthetic camera; the number of frames that the cloud answered, by edge."""
        runs = [self.edge(source="synthetic:fps=5,frames=15") for _ in range(edges)]
        yield [run.answered_by().count("cloud") for run in runs if run.finish()]

    def close(self) -> None:
        if self._cloud.poll() is None:
            self._cloud.terminate()
            try:
                self._cloud.wait(30)
            except subprocess.TimeoutExpired:
                self._cloud.kill()
                self._cloud.wait()
        self._folder.cleanup()


class ComposeDeployment:
    """compose.yaml as users run it, with a project name and published ports of its own. Grafana stays out."""

    kind = "Docker Compose"

    def __init__(self, **settings: str) -> None:
        """`settings` as for LocalDeployment; a weights file is looked for in the mounted folder."""
        port, prometheus_port = free_port(), free_port()
        self.cloud_url = f"http://127.0.0.1:{port}"
        self._prometheus_url = f"http://127.0.0.1:{prometheus_port}"
        self.clip = f"/media/{CLIP.name}"
        self._folder = tempfile.TemporaryDirectory(prefix="splitdnn-test-")
        for name in ("media", "weights"):
            (Path(self._folder.name) / name).mkdir()
        if "/" in settings.get("weights", ""):
            settings["weights"] = f"/weights/local/{Path(settings['weights']).name}"
        common = {f"SPLITDNN_{name.upper()}": value for name, value in settings.items()}
        media, weights = (
            folder if folder.is_dir() else Path(self._folder.name) / folder.name
            for folder in (CLIP.parent, RESNET50.parent)
        )
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("SPLITDNN_")} | common
        self._environment |= {
            "COMPOSE_PROJECT_NAME": f"splitdnn-test-{os.getpid()}",
            "SPLITDNN_CLOUD_PORT": str(port),
            "SPLITDNN_PROMETHEUS_PORT": str(prometheus_port),
            "SPLITDNN_MEDIA": str(media),
            "SPLITDNN_WEIGHTS_DIR": str(weights),
        }
        self._numbers = itertools.count()
        self._compose("build", "cloud", "edge", seconds=1800)
        self._compose("up", "--detach", "--wait", "cloud", "prometheus", seconds=START_S)

    def _compose(self, *arguments: str, seconds: float = STEP_S) -> str:
        done = subprocess.run(
            ["docker", "compose", "--ansi", "never", "--progress", "plain", *arguments],
            cwd=ROOT, env=self._environment, text=True, capture_output=True, timeout=seconds, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (
            f"docker compose {' '.join(arguments)}:\n{(done.stdout + done.stderr)[-4000:]}"
        )
        return done.stdout

    def start_cloud(self) -> None:
        self._compose("up", "--detach", "--wait", "--no-recreate", "cloud", seconds=START_S)

    def kill_cloud(self) -> None:
        self._compose("kill", "cloud")

    def stop_cloud(self) -> None:
        self._compose("stop", "cloud")

    def edge(self, **settings: str) -> EdgeRun:
        chosen = [f"--env={name}={value}" for name, value in _edge_settings(settings).items()]
        name = f"{self._environment['COMPOSE_PROJECT_NAME']}-run-{next(self._numbers)}"
        command = [
            "docker",
            "compose",
            "run",
            "--rm",
            "--no-TTY",
            "--no-deps",
            "--name",
            name,
            *chosen,
            "edge",
        ]
        return EdgeRun(command, self._environment, name)

    def prometheus(self) -> str | None:
        return self._prometheus_url

    def query(self, expression: str) -> list[dict[str, Any]]:
        """An instant query's result vector."""
        text = urllib.request.quote(expression)
        result: list[dict[str, Any]] = get_json(f"{self._prometheus_url}/api/v1/query?query={text}")["data"][
            "result"
        ]
        return result

    @contextlib.contextmanager
    def scaled(self, edges: int) -> Iterator[list[int]]:
        """As `docker compose up --scale edge=3`; the counts come from Prometheus, which finds the edges by DNS."""
        self._compose("up", "--detach", "--wait", "--scale", f"edge={edges}", "edge", seconds=START_S)
        expression = 'splitdnn_edge_frames_total{outcome="cloud"} > 0'
        try:
            series = wait_for(
                lambda: len(found := self.query(expression)) == edges and found, f"{edges} edges seen"
            )
            yield [int(float(each["value"][1])) for each in series]
        finally:
            self._compose("rm", "--force", "--stop", "edge")

    def close(self) -> None:
        self._compose("down", "--volumes", "--remove-orphans", "--timeout", "10")
        self._folder.cleanup()


def docker_answers() -> bool:
    """Whether an engine with Compose v2 is there."""
    if not shutil.which("docker"):
        return False
    commands = (["docker", "info"], ["docker", "compose", "version"])
    with contextlib.suppress(subprocess.TimeoutExpired):
        return all(
            subprocess.run(each, capture_output=True, timeout=20, check=False).returncode == 0
            for each in commands
        )
    return False


@contextlib.contextmanager
def deployment(**settings: str) -> Iterator[Deployment]:
    """Docker Compose where an engine answers, local processes elsewhere."""
    chosen = ComposeDeployment(**settings) if docker_answers() else LocalDeployment(**settings)
    try:
        yield chosen
    finally:
        chosen.close()
