"""An edge that watches a real RTSP server, GStreamer's: absent, there, cut off, with another password, with another size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from kits import common as kit
from kits.bundles import tiny
from kits.edge_run import EdgeRun
from kits.sources import source_of

from bench.harness.process import free_port
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

PYTHON = "/usr/bin/python3"  # the one that Debian's packages are for
NEEDED = "gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly python3-gi"
_THERE = """
import gi
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
assert Gst.ElementFactory.find("x264enc") and Gst.ElementFactory.find("rtph264pay")
"""


@cache
def missing() -> bool:
    try:
        return subprocess.run([PYTHON, "-c", _THERE], capture_output=True, check=False).returncode != 0
    except OSError:
        return True


pytestmark = pytest.mark.skipif(missing(), reason=f"no RTSP server of GStreamer's: apt-get install {NEEDED}")


class Server:
    """The process of kits/gst_rtsp.py."""

    def __init__(self, port: int = 0) -> None:
        self._process = subprocess.Popen(
            [PYTHON, str(kit.ROOT / "tests/kits/gst_rtsp.py"), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())

    def tell(self, command: str) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def url(self, password: str = "") -> str:
        login = f"user:{password}@" if password else ""
        return f"rtsp://{login}127.0.0.1:{self.port}/live"

    def end(self) -> None:
        self._process.communicate(timeout=kit.STEP_S)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.end()


def test_a_stream_from_its_beginning_through_every_change(server: Server) -> None:
    server.tell("password se#cret")
    source = source_of(server.url("se%23cret"), open_timeout_s=10, read_timeout_s=10)
    with closing(source):
        source.open()
        shots = [source.read() for _ in range(40)]
        assert [shot.number for shot in shots] == list(range(40))
        assert {shot.picture.shape for shot in shots} == {(48, 64, 3)}
        times = [shot.media_time_s for shot in shots[1:]]
        assert times == sorted(set(times))
        server.tell("size 96 80")
        while (shot := source.read()).picture.shape == (48, 64, 3):
            assert shot.number < 400, "it keeps its size"
        assert shot.picture.shape == (80, 96, 3)

        server.tell("off")
        with pytest.raises(SourceError, match="no more pictures"):
            while True:
                shot = source.read()
        with pytest.raises(SourceError, match="404 Not Found"):
            source.open()
        server.tell("on")
        source.open()
        assert source.read().number > shot.number, "numbers go on"

        server.tell("password another")
        server.tell("off")
        server.tell("on")
        with pytest.raises(SourceError, match="no more pictures"):
            while True:
                source.read()
        with pytest.raises(SourceError, match="401 Unauthorized") as refused:
            source.open()
        assert "cret" not in str(refused.value)


def readiness(port: int) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=kit.STEP_S) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_an_edge_whose_camera_comes_goes_and_comes_back() -> None:
    port, status_port = free_port(), free_port()
    edge = EdgeRun(
        [
            *(sys.executable, "-m", "edge", "--model", str(tiny().folder), "--split-point", "output"),
            *(
                "--source",
                f"rtsp://127.0.0.1:{port}/live",
                "--results",
                "-",
                "--status-port",
                str(status_port),
            ),
            *("--cloud-url", "http://127.0.0.1:1", "--threads", "1", "--name", "yard"),
        ],
        {name: value for name, value in os.environ.items() if not name.startswith("SPLITDNN_")},
    )

    def says(text: str) -> None:
        kit.wait_for(lambda: any(text in line for line in edge.errors), f"a line with: {text}")

    server = None
    try:
        says("source not there yet, waiting for it")
        says("Connection refused")
        assert readiness(status_port) == (
            503, {"ready": False, "state": "running", "waiting_for": ["yard"]},
        )  # fmt: skip
        server = Server(port)
        edge.wait_for_records(20)
        assert readiness(status_port)[0] == 200
        server.tell("off")
        says("404 Not Found")
        server.tell("on")
        says("source back")
        edge.wait_for_records(len(edge.records) + 20)
        edge.terminate()
        records = edge.finish()
    finally:
        edge.end()
        if server:
            server.end()
    numbers = [record["frame"] for record in records]
    assert numbers == sorted(set(numbers)), "also from one connection to the next"
    assert {record["source"] for record in records} == {f"rtsp://127.0.0.1:{port}/live"}
    assert not any("Traceback" in line for line in edge.errors)
