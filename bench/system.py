"""Cloud and edge as processes of this machine, as a benchmark needs them: fresh, watched, ended."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_S = 240.0


@dataclass(frozen=True)
class Cloud:
    """A running cloud."""

    url: str
    pid: int

    def rss_bytes(self) -> int:
        """Its largest resident set so far."""
        return peak_rss_bytes(self.pid)


@dataclass(frozen=True)
class EdgeRun:
    """What one edge left behind."""

    records: list[dict[str, Any]]
    frames_per_s: float
    rss_bytes: int


@contextlib.contextmanager
def running_cloud(weights: str) -> Iterator[Cloud]:
    """A fresh ResNet-50 cloud that takes frames."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cloud", "--port", str(port), "--weights", weights],
            stderr=log,
            env=_environment(),
        )
        try:
            url = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + _START_S
            while not _answers(f"{url}/readyz"):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise RuntimeError(f"the cloud did not start:\n{log.read().decode(errors='replace')}")
                time.sleep(0.1)
            yield Cloud(url, process.pid)
        finally:
            process.terminate()
            process.wait(60)


def run_edge(cloud: Cloud, weights: str, source: str, frames: int, split_point: str, codec: str) -> EdgeRun:
    """Send `frames` frames of `source`; every one must be answered by the cloud."""
    command = [
        sys.executable, "-m", "edge", "--cloud-url", cloud.url, "--weights", weights, "--source", source,
        "--frames", str(frames), "--split-point", split_point, "--codec", codec, "--results", "-", "--show", "quiet",
        "--status-port", "0", "--deadline-s", "60",
    ]  # fmt: skip
    with tempfile.TemporaryFile("w+") as said:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=said, text=True, env=_environment()
        ) as process:
            records, rss = [], 0
            assert process.stdout is not None
            for line in process.stdout:
                records.append(json.loads(line))
                rss = max(rss, peak_rss_bytes(process.pid))
        said.seek(0)
        text = said.read()
    if process.returncode or any(record["answered_by"] != "cloud" for record in records):
        raise RuntimeError(f"the edge failed at {split_point}:\n{text}")
    rate = re.search(r"frames/s +([\d.]+)", text)
    assert rate is not None, text
    return EdgeRun(records, float(rate[1]), rss)


def peak_rss_bytes(pid: int) -> int:
    """The kernel's high-water mark of a process's resident set; 0 once it has ended."""
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        return 1024 * int(found[1]) if found else 0
    return 0


def _environment() -> dict[str, str]:
    """Without the settings of whoever runs the benchmark: they would change what is measured."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SPLITDNN_")}


def _answers(url: str) -> bool:
    with (
        contextlib.suppress(urllib.error.URLError, OSError),
        urllib.request.urlopen(url, timeout=5) as response,
    ):
        return bool(response.status == 200)
    return False
