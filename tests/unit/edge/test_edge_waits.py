"""`python -m edge` with a camera that is not there yet: it is waited for, with the network loaded."""

from __future__ import annotations

import json
import re
import signal
import urllib.error
import urllib.request

import pytest
from kits.edge_main import NOWHERE, SMALL, send_when
from kits.sources import running_camera

from bench.harness.process import free_port

pytestmark = pytest.mark.slow  # compiles networks


@pytest.fixture
def status_port():
    return free_port()


def readiness(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
    except OSError:
        return 0, {"state": ""}


def attempts(port):
    """How often it has been tried again."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        found = re.search(
            r"^splitdnn_edge_source_reconnects_total\S* (\S+)$", answer.read().decode(), re.MULTILINE
        )
    return float(found[1])


def test_a_camera_that_comes_later(edge, status_port, tmp_path):
    seen = []
    with running_camera() as camera:
        camera.switch_off()

        def waiting():
            seen.append(readiness(status_port))
            if seen[-1][1]["state"] != "running":
                return False
            if not camera.on and attempts(status_port):
                camera.switch_on()
            return seen[-1][0] == 200

        send_when(waiting)
        status, _, errors = edge(
            *SMALL, *NOWHERE, "--source", camera.url, "--status-port", status_port, "--show", "quiet",
            "--name", "yard", "--results", tmp_path / "out.jsonl",
        )  # fmt: skip
    assert (status, errors) == (0, [])
    assert (503, {"ready": False, "state": "running", "waiting_for": ["yard"]}) in seen
    assert seen[-1] == (200, {"ready": True, "state": "running", "waiting_for": []})
    assert [line for line in edge.log if "WARNING" in line and "source not there yet, waiting for it" in line]
    assert [line for line in edge.log if "source there: http://***@127.0.0.1" in line]
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {record["camera"] for record in records} == {"yard"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("source", ["97", "http://me:secret@127.0.0.1:1/v", "rtsp://me:secret@127.0.0.1:1/v"])
def test_a_signal_ends_the_wait(edge, status_port, number, source):
    send_when(lambda: readiness(status_port)[1]["state"] == "running", number)
    status, _, errors = edge(
        *SMALL, *NOWHERE, "--source", source, "--status-port", status_port, "--show", "quiet"
    )
    assert (status, errors) == (0, [])
    assert not any("secret" in line for line in edge.log)


def test_a_device_that_may_not_be_used_is_not_waited_for(edge, monkeypatch):
    monkeypatch.setattr("edge.sources.live.webcam.os.access", lambda *_: False)
    assert "may not use it; join group" in refused_later(edge, "--source", "/dev/null")


def refused_later(edge, *arguments):
    """The one line of a run that fails once its network is loaded."""
    status, _, errors = edge(*SMALL, *NOWHERE, *arguments)
    assert status == 2
    return errors[-1]
