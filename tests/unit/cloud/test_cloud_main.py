"""`python -m cloud`: what it says before it starts, what it says when it cannot, and how it ends."""

from __future__ import annotations

import gc
import json
import logging
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from cloud.__main__ import main
from cloud.config import CloudSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
WAIT_S = 120.0
SMALL = ["--port", "0", "--model", "resnet18", "--weights", "random", "--engine", "torch"]
unbound = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
BODY = json.dumps({"data": [[0.5] * 512], "split_point": "flatten", "count": 7}).encode()


# --- in this process --------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _unchanged(monkeypatch: pytest.MonkeyPatch, cache_dir: str) -> Iterator[None]:
    """A main program sets up a whole process; this one goes on afterwards."""
    for name in list(os.environ):
        if name.startswith("SPLITDNN_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SPLITDNN_CACHE_DIR", cache_dir)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("tornado.access").setLevel(logging.NOTSET)


def complaints_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """What a user reads on stderr, log lines aside, when it cannot start."""
    assert main(arguments) == 2
    gc.collect()  # Tornado leaves a socket that it cannot bind to the garbage collector, which warns of it
    return [line for line in capsys.readouterr().err.splitlines() if not re.match(r"\d{4}-\d\d-\d\d ", line)]


def test_print_config_shows_every_setting_and_starts_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLITDNN_QUEUE_CAPACITY", "17")
    assert main(["--print-config", "--port", "9000"]) == 0
    lines = dict(line.split("=", 1) for line in capsys.readouterr().out.splitlines())
    assert lines.keys() == {f"SPLITDNN_{name.upper()}" for name in CloudSettings.model_fields}
    assert (lines["SPLITDNN_PORT"], lines["SPLITDNN_QUEUE_CAPACITY"]) == ("9000", "17")
    assert lines["SPLITDNN_ADDRESS"] == "127.0.0.1"


@unbound
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--prot", "9000"], "unknown argument --prot; did you mean --port"),
        (["--source", "a.mp4"], "unknown argument --source"),
        (["stray"], "unexpected argument stray; every setting has its flag"),
        (["--port"], "argument --port: expected one argument"),
        (["--print-conf"], "unknown argument --print-conf; did you mean --print-config"),
        (["--port", "65536"], "--port=65536: "),
        (["--max-batch", "many"], "--max-batch=many: "),
        (["--log-level", "loud"], "--log-level=loud: "),
        (["--engine", "onnx"], "--engine=onnx: Input should be 'auto', 'torch' or 'openvino'"),
        (
            ["--precision", "int4"],
            "--precision=int4: Input should be 'auto', 'float32', 'bfloat16' or 'float16'",
        ),
        (["--tail-workers", "65"], "--tail-workers=65: "),
        (["--model", "resnet19", "--port", "0"], "unknown model 'resnet19'; did you mean resnet18"),
        (["--device", "tpu", *SMALL], "device 'tpu' cannot be used"),
        (["--split-point", "layer33", *SMALL], "unknown split point 'layer33'; did you mean layer3"),
        (["--address", "192.0.2.1", "--port", "0"], "cannot listen on 192.0.2.1:0: "),
        (
            ["--ledger", "/nowhere/l.jsonl", *SMALL],
            "ledger /nowhere/l.jsonl: No such file or directory; give --ledger",
        ),
        (
            ["--ledger", f"{ROOT}/README.md", *SMALL],
            f"ledger {ROOT}/README.md: this file exists and holds no ledger; ",
        ),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else None,
)
def test_what_it_cannot_start_with_is_one_line_and_exit_status_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], text: str
) -> None:
    (line,) = complaints_of(capsys, *arguments)
    assert line.startswith(f"splitdnn: {text}")


def test_an_unknown_variable_is_told_the_nearest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLITDNN_PROT", "9000")
    (line,) = complaints_of(capsys)
    assert re.fullmatch(
        r"splitdnn: unknown variable SPLITDNN_PROT; did you mean .*\bSPLITDNN_PORT\b.*\?", line
    )


@unbound
def test_a_taken_port_is_one_line_that_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (line,) = complaints_of(capsys, "--port", str(port), "--model", "resnet18", "--weights", "random")
    assert line.startswith(f"splitdnn: cannot listen on 127.0.0.1:{port}: Address already in use; stop what")


# --- as a process of its own ------------------------------------------------------------------------------------------


class Process:
    """`python -m cloud`, and what it logs. `beforehand` is Python that runs in it first."""

    def __init__(self, *arguments: str, beforehand: str = "") -> None:
        code = (
            f"import runpy, sys, threading\nsys.argv[0] = 'cloud'\n{beforehand}\n"
            "runpy.run_module('cloud', run_name='__main__')"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._process.kill()
        self._process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        assert self._process.stderr
        self._process.stderr.close()

    def _read(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            self.log.append(line)
            self._lines.put(line)

    def logged(self, pattern: str) -> re.Match[str]:
        """Wait for a line."""
        while True:
            try:
                line = self._lines.get(timeout=WAIT_S)
            except queue.Empty:
                raise AssertionError(f"no {pattern!r} in {''.join(self.log)}") from None
            if match := re.search(pattern, line):
                return match

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)

    def listening(self) -> None:
        self.port = int(self.logged(r"listening on http://127\.0\.0\.1:(\d+)")[1])

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        self._process.send_signal(number)

    def closed(self) -> None:
        """Nobody holds its stderr any more: neither it nor what it started."""
        self._reader.join(WAIT_S)
        assert not self._reader.is_alive()

    def ended_well(self) -> None:
        """Exit status 0, without a complaint."""
        assert self._process.wait(WAIT_S) == 0, "".join(self.log)
        self._reader.join(WAIT_S)
        assert not [line for line in self.log if "Traceback" in line or " ERROR " in line]


def get(process: Process, path: str) -> tuple[int, bytes]:
    connection = process.connect()
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def turns(process: Process) -> float:
    """Of the event loop, since frames are taken."""
    count = re.search(
        rb"^splitdnn_cloud_event_loop_block_seconds_count (.+)$", get(process, "/metrics")[1], re.MULTILINE
    )
    assert count
    return float(count[1])


def test_sigterm_lets_a_request_in_progress_finish() -> None:
    with Process(*SMALL) as process:
        process.listening()
        process.logged("ready$")
        assert get(process, "/readyz") == (200, b'{"state": "ready"}')
        connection = process.connect()
        connection.putrequest("POST", "/model")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(BODY)))
        connection.endheaders(BODY[:10])
        while b"splitdnn_cloud_buffered_bytes 0.0" in get(process, "/metrics")[1]:
            pass  # its header has not arrived
        process.signal()
        process.logged("stopping: finishing 1 frames")
        assert turns(process) > 0
        process.logged("draining$")
        assert get(process, "/readyz") == (503, b'{"state": "draining"}')
        connection.send(BODY[10:])
        response = connection.getresponse()
        answer = json.load(response)
        assert (response.status, answer["count"], len(answer["result"][0])) == (200, 7, 1000)
        connection.close()
        process.logged("stopped$")
        process.ended_well()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_model_loads_ends_it_at_once(number: signal.Signals) -> None:
    forever = "import shared.network.model\nshared.network.model.load_model = lambda *_, **__: threading.Event().wait(3600)"
    with Process(*SMALL, beforehand=forever) as process:
        process.listening()
        assert get(process, "/healthz") == (200, b'{"state": "starting"}')
        assert turns(process) == 0  # loading is no block
        process.signal(number)
        process.ended_well()  # its thread is still loading


def test_a_signal_while_torch_is_imported_is_no_crash() -> None:
    with Process(*SMALL) as process:
        process.logged("threads: ")  # the line before the imports
        process.signal()
        process.ended_well()


def test_a_second_start_takes_what_the_first_one_converted_and_chose(tmp_path: Path) -> None:
    arguments = [*SMALL, "--engine", "auto", "--cache-dir", str(tmp_path / "new" / "cache"), "--threads", "2"]
    engines, logs = [], []
    for _ in range(2):
        with Process(*arguments) as process:
            process.listening()
            process.logged("ready$")
            engines.append(json.loads(get(process, "/model")[1])["engine"])
            process.signal()
            process.ended_well()
            logs.append("".join(process.log))
    assert ["converted resnet18 for openvino" in log for log in logs] == [True, False]
    assert engines[0] == engines[1]
    assert engines[0]["threads"] == 2
    kept = sorted(path.name.partition("-")[0] for path in (tmp_path / "new" / "cache").iterdir())
    assert kept == ["choice", "network"]


def test_nothing_is_kept_on_disk_if_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with Process(*SMALL, "--engine", "openvino", "--cache-dir", "") as process:
        process.listening()
        process.logged("ready$")
        assert json.loads(get(process, "/model")[1])["engine"]["name"] == "openvino"
        process.signal()
        process.ended_well()
    assert not list(tmp_path.rglob("*splitdnn*"))


def test_a_tail_that_never_ends_does_not_outlast_the_drain() -> None:
    stuck = (
        "import cloud.batching.tails\ncloud.batching.tails.Tails.run = lambda *_: print('tail', file=sys.stderr, flush=True)"
        " or threading.Event().wait(3600)"
    )
    with Process(*SMALL, "--drain-s", "0.05", beforehand=stuck) as process:
        process.listening()
        process.logged("ready$")
        connection = process.connect()
        connection.request("POST", "/model", BODY, {"Content-Type": "application/json"})
        process.logged("^tail")
        process.signal()
        process.logged("1 frames were not finished within")
        process.ended_well()
        connection.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_process_that_reads_large_bodies_does_not_outlive_it(number: signal.Signals) -> None:
    with Process(*SMALL) as process:
        process.listening()
        process.logged("ready$")
        connection = process.connect()
        connection.request("POST", "/model", BODY + b" " * 100_000, {"Content-Type": "application/json"})
        assert json.load(connection.getresponse())["count"] == 7
        connection.close()
        process.signal(number)
        process.closed()
        if number is not signal.SIGKILL:
            process.ended_well()
