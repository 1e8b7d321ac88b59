"""`python -m cloud` as a process of its own, for tests of how it starts and ends."""

from __future__ import annotations

import json
import queue
import re
import signal
import subprocess
import sys
import threading
from http.client import HTTPConnection
from pathlib import Path
from typing import Self

import numpy as np
from kits import bundles

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 120.0
BODY = json.dumps({"data": [np.full((6, 4, 4), 0.5).tolist()], "split_point": "pool", "count": 7}).encode()


def small() -> tuple[str, ...]:
    """The flags of a cloud that runs the small bundle, at any port."""
    return (
        "--port",
        "0",
        "--model",
        str(bundles.tiny().folder),
        "--engine",
        "openvino",
        "--precision",
        "float32",
    )


class Process:
    """The process, and what it logs. `beforehand` is Python that runs in it first."""

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

    def ready(self) -> None:
        """Wait until it takes frames."""
        self.listening()
        self.logged("ready$")

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)

    def listening(self) -> None:
        self.port = int(self.logged(r"listening on http://127\.0\.0\.1:(\d+)")[1])

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        self._process.send_signal(number)

    def closed(self) -> None:
        """Wait until nothing holds its stderr any more, neither the process nor what it started."""
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
    """Turns of the event loop since frames are taken."""
    count = re.search(
        rb"^splitdnn_cloud_event_loop_block_seconds_count (.+)$", get(process, "/metrics")[1], re.MULTILINE
    )
    assert count
    return float(count[1])
