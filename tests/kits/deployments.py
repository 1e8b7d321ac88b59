"""The system as Docker Compose runs it, or as local processes, behind one face.

Everything is addressed at 127.0.0.1, bounded in time, and ended by the id it was started with.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kits.common import CLIP, RESNET50, ROOT, START_S, STEP_S, get_json, ready, wait_for
from kits.edge_run import EdgeRun

from bench.harness.process import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_PROJECTS = itertools.count()
"""Several deployments may run side by side, and each takes only its own containers down."""


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


def edge_settings(settings: dict[str, str]) -> dict[str, str]:
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
        return EdgeRun([sys.executable, "-m", "edge"], environment | edge_settings(settings))

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

    def __init__(
        self,
        files: Path | None = None,
        *,
        overrides: tuple[str, ...] = (),
        built: Callable[[], object] = lambda: None,
        **settings: str,
    ) -> None:
        """`settings` as for LocalDeployment; a weights file is looked for in the mounted folder.

        With `files`, a folder, that is what the containers see as /media, and settings that name files of it are told so.
        `overrides` are files of Compose; `built` is called when there are images.
        """
        self._files = files
        port, prometheus_port = free_port(), free_port()
        self.cloud_url = f"http://127.0.0.1:{port}"
        self._prometheus_url = f"http://127.0.0.1:{prometheus_port}"
        self.clip = f"/media/{CLIP.name}"
        self._folder = tempfile.TemporaryDirectory(prefix="splitdnn-test-")
        for name in ("media", "weights"):
            (Path(self._folder.name) / name).mkdir()
        if "/" in settings.get("weights", ""):
            settings["weights"] = f"/weights/local/{Path(settings['weights']).name}"
        common = {f"SPLITDNN_{name.upper()}": self._told(value) for name, value in settings.items()}
        media, weights = (
            folder if folder.is_dir() else Path(self._folder.name) / folder.name
            for folder in (files or CLIP.parent, RESNET50.parent)
        )
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("SPLITDNN_")} | common
        # Where no registry is reached, only this release of Prometheus is at hand.
        self._environment |= {k: v for k, v in os.environ.items() if k == "SPLITDNN_PROMETHEUS_IMAGE"}
        self._environment |= {
            "COMPOSE_FILE": ":".join(("compose.yaml", *overrides)),
            "COMPOSE_PROJECT_NAME": f"splitdnn-test-{os.getpid()}-{next(_PROJECTS)}",
            "SPLITDNN_CLOUD_PORT": str(port),
            "SPLITDNN_PROMETHEUS_PORT": str(prometheus_port),
            "SPLITDNN_MEDIA": str(media),
            "SPLITDNN_WEIGHTS_DIR": str(weights),
        }
        self._numbers = itertools.count()
        try:
            self._compose("build", "bundle", "cloud", "edge", seconds=1800)
            built()
            self._compose("up", "--detach", "--wait", "cloud", "prometheus", seconds=START_S)
        except BaseException:
            self.close()
            raise

    def _compose(self, *arguments: str, seconds: float = STEP_S) -> str:
        done = subprocess.run(
            ["docker", "compose", "--ansi", "never", "--progress", "plain", *arguments],
            cwd=ROOT, env=self._environment, text=True, capture_output=True, timeout=seconds, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (
            f"docker compose {' '.join(arguments)}:\n{(done.stdout + done.stderr)[-4000:]}"
        )
        return done.stdout

    def _told(self, value: str) -> str:
        """A setting as the containers understand it."""
        inside = self._files is not None and value.startswith(f"{self._files}/")
        return value.replace(str(self._files), "/media", 1) if inside else value

    def start_cloud(self) -> None:
        self._compose("up", "--detach", "--wait", "--no-recreate", "cloud", seconds=START_S)

    def kill_cloud(self) -> None:
        self._compose("kill", "cloud")

    def stop_cloud(self) -> None:
        self._compose("stop", "cloud")

    def edge(self, **settings: str) -> EdgeRun:
        chosen = [f"--env={name}={self._told(value)}" for name, value in edge_settings(settings).items()]
        if {"model", "weights", "seed"} & set(settings):  # an edge makes no bundles
            self._compose("run", "--rm", "--no-TTY", *chosen, "bundle", seconds=START_S)
        name = f"{self._environment['COMPOSE_PROJECT_NAME']}-run-{next(self._numbers)}"
        command = ["docker", "compose", "run", "--rm", "--no-TTY", "--no-deps", "--name"]
        return EdgeRun([*command, name, *chosen, "edge"], self._environment, name)

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
