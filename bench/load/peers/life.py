"""One server's life: start to the first answer, a few clients and many, poisoned requests among good ones, SIGTERM under load."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import sysconfig
import tempfile
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.harness.process import ROOT, environment, free_port
from bench.load.peers.marked import MARK, end, marked, proportional
from bench.load.peers.sending.answer import FRAMES, GRPC
from bench.load.peers.sending.job import FIRST, LOAD, POISON, TERMINATE, Job
from shared.wire.http import CONTENT_TYPE as FRAME_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.load.peers.known import Contender
    from bench.load.peers.material import Material
    from bench.load.peers.options import PeersOptions
    from bench.load.peers.servers.spec import Spec

_PATHS = {FRAMES: "/model"}
_PATH, _CONTENT_TYPE = "/predict", "application/octet-stream"
_MANY = 8
"""Clients beside the poisoned ones."""
_AFTER_SIGNAL_S = 1.5
_SLACK_S = 20.0
"""For a process of clients, beyond the time that it was told to take."""
_POLL_S = 0.05
_LOG_BYTES = 2000

Life = dict[str, Any]
"""What was found, as JSON can hold it."""


class FailedError(Exception):
    """A server did not start, or its clients failed; the text says what was said."""


@dataclass(frozen=True)
class Stage:
    """Where lives are lived."""

    options: PeersOptions
    material: Material
    contender: Contender
    python: Path
    """The server's interpreter, and that of clients who speak gRPC."""

    def live(self) -> Life:
        """Start the server, measure all, end it and whatever it has started. Raises FailedError."""
        with self._running() as server:
            life: Life = {"name": self.contender.name, "start_s": server.start_s}
            for clients in self.options.clients:
                life[f"clients {clients}"] = server.ask(
                    LOAD, clients=clients, seconds=self.options.seconds, warm_s=self.options.warm
                )
            pids = marked(server.mark)
            life |= {"processes": len(pids), "pss": proportional(pids)}
            life["poison"] = server.ask(POISON, clients=_MANY, seconds=self.options.seconds, warm_s=0.0)
            life["terminate"] = server.terminate(max(self.options.clients))
        return life | {"left": server.left}

    @contextlib.contextmanager
    def _running(self) -> Iterator[Server]:
        with tempfile.TemporaryDirectory(prefix="peer-", ignore_cleanup_errors=True) as folder:
            server = Server(self, Path(folder))
            try:
                server.start()
                yield server
            finally:
                server.close()

    def command(self, port: int, folder: Path) -> list[str]:
        options, material = self.options, self.material
        if self.contender.protocol == FRAMES:
            precision = [] if material.int8 else [f"--precision={options.precision}"]
            weights = [] if Path(options.model).exists() else [f"--weights={options.weights}"]
            return [
                str(self.python), "-m", "cloud", f"--model={options.model}", *weights, *precision, "--engine=openvino",
                f"--split-point={options.split_point}", f"--threads={options.cores}", f"--port={port}", *options.ours,
            ]  # fmt: skip
        spec = options.spec(material, port, folder)
        return [str(self.python), "-m", f"bench.load.peers.servers.{self.contender.name}", spec.text()]


class Server:
    """A running server and those who ask it."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self._stage = stage
        self._folder = folder
        self.mark = uuid.uuid4().hex
        self._port = free_port()
        self.start_s = 0.0
        self.left = 0
        """Processes that were still there when it had ended, or had not ended in time."""
        self._log = (folder / "log").open("ab+")
        protocol = stage.contender.protocol
        self._job = Job(
            FIRST, protocol, self._port, str(stage.material.bodies(protocol)), self.mark,
            path=_PATHS.get(protocol, _PATH), content_type=FRAME_TYPE if protocol == FRAMES else _CONTENT_TYPE,
            timeout_s=stage.options.start,
        )  # fmt: skip

    def start(self) -> None:
        """Until its first right answer. Raises FailedError."""
        server = self._folder / "server"
        server.mkdir()
        asking = self._clients(self._job)
        assert asking.stdout is not None
        asking.stdout.readline()  # they are ready: their own start does not count
        began = time.monotonic()
        self._process = subprocess.Popen(
            self._stage.command(self._port, server),
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, cwd=self._folder, start_new_session=True,
            env=self._environment() | {MARK: self.mark, "SPT_NOENV": "1"},
        )  # fmt: skip
        while asking.poll() is None and self._process.poll() is None:
            time.sleep(_POLL_S)
        if self._process.poll() is not None:
            asking.kill()
            asking.communicate()
            raise FailedError(f"it ended with status {self._process.poll()}:\n{self.said()}")
        result = self._result(asking, self._job.timeout_s)
        if result["answered_at"] is None:
            raise FailedError(f"no right answer within {self._job.timeout_s:g} s: {result}\n{self.said()}")
        self.start_s = result["answered_at"] - began

    def ask(self, kind: str, **how: Any) -> dict[str, Any]:
        """The result of one process of clients. Raises FailedError."""
        job = replace(self._job, kind=kind, timeout_s=self._stage.options.timeout, **how)
        return self._result(self._clients(job), job.warm_s + job.seconds)

    def terminate(self, clients: int) -> dict[str, Any]:
        """SIGTERM while so many clients ask; what became of their requests, and how long the server took."""
        job = replace(
            self._job, kind=TERMINATE, timeout_s=self._stage.options.timeout, clients=clients, seconds=_AFTER_SIGNAL_S,
            warm_s=self._stage.options.warm, pid=self._process.pid,
        )  # fmt: skip
        asking, ended = self._clients(job), None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(job.warm_s + self._stage.options.grace)
            ended = time.monotonic()
        found = self._result(asking, job.seconds)
        return found | {
            "status": self._process.poll(),
            "ended_s": ended and ended - found["signalled_at"],
        }

    def close(self) -> None:
        """End everything that this server has started."""
        self.left = end(self.mark)
        if hasattr(self, "_process"):
            self._process.wait()
        self._log.close()

    def said(self) -> str:
        """The last that it printed."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-_LOG_BYTES:]

    def _clients(self, job: Job) -> subprocess.Popen[str]:
        python = str(self._stage.python) if job.protocol == GRPC else sys.executable
        return subprocess.Popen(
            [python, "-m", "bench.load.peers.sending", job.text()],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._log, text=True, cwd=self._folder,
            env=self._environment(),
        )  # fmt: skip

    def _result(self, clients: subprocess.Popen[str], seconds: float) -> dict[str, Any]:
        try:
            said, _ = clients.communicate(timeout=seconds + self._stage.options.timeout + _SLACK_S)
        except subprocess.TimeoutExpired:
            clients.kill()
            clients.communicate()
            raise FailedError(f"its clients did not end:\n{self.said()}") from None
        if clients.returncode:
            raise FailedError(f"its clients failed:\n{self.said()}")
        found: dict[str, Any] = json.loads(said.splitlines()[-1])
        return found

    def _environment(self) -> dict[str, str]:
        return environment() | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **_library()}


def _library() -> dict[str, str]:
    """Where this Python's library is: a server that embeds Python, as Triton does, else takes the system's, of another release."""
    folder = sysconfig.get_config_var("LIBDIR")
    return {"LD_LIBRARY_PATH": folder} if folder and sysconfig.get_config_var("Py_ENABLE_SHARED") else {}


def bare(stage: Stage) -> Life:
    """The tail's own, in the same form as a server's. Raises FailedError."""
    options, mark = stage.options, uuid.uuid4().hex
    with tempfile.TemporaryDirectory(prefix="peer-") as folder:
        spec: Spec = options.spec(stage.material, 0, Path(folder))
        began = time.monotonic()
        process = subprocess.Popen(
            [str(stage.python), "-m", "bench.load.peers.servers.bare", spec.text(), str(options.seconds)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment() | {"PYTHONPATH": str(ROOT), MARK: mark},
        )  # fmt: skip
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline() for _ in range(3)]
            pids = marked(mark)
            life: Life = {"name": stage.contender.name, "processes": len(pids), "pss": proportional(pids)}
        finally:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=_SLACK_S)
            end(mark)
    if process.returncode or not all(lines):
        raise FailedError("the bare tail failed; what it said stands above")
    ready, *measured = map(json.loads, lines)
    life["start_s"] = ready["ready"] - began
    few, many = min(options.clients), max(options.clients)
    for clients, found in zip((few, many), measured, strict=True):
        life[f"clients {clients}"] = found
    return life
