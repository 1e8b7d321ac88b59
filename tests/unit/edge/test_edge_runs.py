"""Whole runs of `python -m edge`, in this process."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import cv2
import numpy as np
import pytest
from kits.edge_main import ENDLESS, LOG_LINE, NOWHERE, SHORT, SMALL, send_when

from bench.harness.process import free_port

pytestmark = pytest.mark.slow  # processes, networks or compilations

ROOT = Path(__file__).parents[3]


def test_a_run_at_the_edge_alone(edge, tmp_path):
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((30, 40, 3), 60 * number, np.uint8))
    status, out, errors = edge(*SMALL, *NOWHERE, "--split-point", "output", "--source", tmp_path)
    assert (status, errors) == (0, [])
    assert [line[:13] for line in out.splitlines()[:4]] == [f"frame      {n} " for n in range(4)]
    assert "output none 0 B" in out
    assert "answered by edge    4" in out
    assert not any("WARNING" in line for line in edge.log), "the cloud was not to be asked"


def test_a_run_without_its_cloud(edge, tmp_path):
    results = tmp_path / "{hostname}.jsonl"
    status, out, errors = edge(*SMALL, *NOWHERE, *SHORT, "--show", "quiet", "--results", results, "--top", 2)
    assert (status, errors) == (0, [])
    assert out.startswith("\nframes in           3\n")
    records = [
        json.loads(line) for line in (tmp_path / f"{socket.gethostname()}.jsonl").read_text().splitlines()
    ]
    assert [(each["frame"], each["answered_by"], each["fallback"]) for each in records] == [
        (number, "edge", "circuit_open") for number in range(3)
    ]
    assert {len(each["top"]) for each in records} == {2}
    assert any("circuit open: no cloud at http://127.0.0.1:1" in line for line in edge.log)


def test_in_whatever_precision_the_classes_are_the_same(edge):
    tops = {}
    for precision in ("float32", "bfloat16", "auto"):
        status, out, _ = edge(
            *SMALL, *NOWHERE, *SHORT, "--show", "quiet", "--results", "-", "--engine", "auto", "--precision", precision
        )  # fmt: skip
        assert status == 0
        assert not any("WARNING" in line and "circuit" not in line for line in edge.log)
        chosen = next(line for line in edge.log if "engine " in line)
        assert "engine openvino in " in chosen
        assert precision == "auto" or f" in {precision} on cpu, 1 threads" in chosen
        tops[precision] = [
            {each["class_id"]: each["probability"] for each in json.loads(line)["top"]}
            for line in out.splitlines()
        ]
    expected = tops.pop("float32")
    assert len(expected) == 3
    for records in tops.values():
        for got, wanted in zip(records, expected, strict=True):
            assert got.keys() == wanted.keys()
            for name, probability in got.items():
                assert probability == pytest.approx(wanted[name], abs=0.02)


@pytest.mark.parametrize(("size", "pixels"), [("network", 8 * 8), ("source", 64 * 48)])
def test_a_picture_travels_in_the_size_that_is_asked_for(edge, tmp_path, monkeypatch, size, pixels):
    async def believe(_uplink, **_):
        """That there is a cloud: otherwise nothing is encoded."""

    monkeypatch.setattr("edge.uplink.uplink.Uplink.check", believe)
    results = tmp_path / "out.jsonl"
    pictures = ["--split-point", "input", "--codec", "raw", "--picture-size", size]
    status, _, errors = edge(*SMALL, *NOWHERE, *SHORT, *pictures, "--show", "quiet", "--results", results)
    records = [json.loads(line) for line in results.read_text().splitlines()]
    assert (status, errors, len(records)) == (0, [], 3)
    assert {(each["payload_bytes"], each["answered_by"]) for each in records} == {(3 * pixels, "edge")}


@pytest.mark.parametrize("plan", [["--split-point", "pool"], ["--split-point", "output"]])
def test_a_size_of_pictures_that_do_not_travel_is_said_to_change_nothing(edge, plan):
    status, _, _ = edge(*SMALL, *NOWHERE, *SHORT, *plan, "--picture-size", "source", "--show", "quiet")
    assert status == 0
    assert [line for line in edge.log if "WARNING" in line and "picture_size=source changes nothing" in line]


def test_records_on_stdout_and_the_rest_on_stderr(edge):
    status, out, errors = edge(*SMALL, *NOWHERE, *SHORT, "--results", "-", "--frames", 2)
    assert status == 0
    assert [json.loads(line)["frame"] for line in out.splitlines()] == [0, 1]
    assert errors[0].startswith("frame      0 ")
    assert "frames in           2" in errors


def test_json_logs_are_json(edge):
    _, _, lines = edge(*SMALL, *NOWHERE, *SHORT, "--log-format", "json", "--show", "quiet")
    assert {json.loads(line)["level"] for line in lines} == {"info", "warning"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("source", [ENDLESS, ["--source", "synthetic:fps=200,width=64,height=48"]])
def test_a_signal_ends_it_with_every_frame_accounted_for(edge, tmp_path, number, source):
    results = tmp_path / "out"
    send_when(lambda: results.exists() and results.read_text().count("\n") > 2, number)
    status, out, errors = edge(*SMALL, *NOWHERE, *source, "--show", "quiet", "--results", results)
    assert (status, errors) == (0, [])
    counts = {line[:20].strip(): line[20:] for line in out.splitlines()[1:5]}
    answered = int(counts["answered by edge"])
    assert answered == results.read_text().count("\n") > 2
    assert int(counts["frames in"]) == answered + int(counts["dropped"])
    if source is ENDLESS:
        assert counts["dropped"] == "0"


def test_it_stays_for_its_metrics_if_asked(edge):
    port = free_port()
    seen, turns = [], []

    def get(path):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as response:
            return response.read().decode()

    def finished():
        try:
            # The count first: what is still starting afterwards was starting when it was read.
            count = re.search(
                r"^splitdnn_edge_event_loop_block_seconds_count (.+)$", get("/metrics"), re.MULTILINE
            )
            seen.append(json.loads(get("/healthz"))["state"])
            turns.append((seen[-1], float(count[1])))
        except OSError:
            return False
        return seen[-2:] == ["finished", "finished"]  # the count before the first is of another state

    send_when(finished)
    status, out, _ = edge(*SMALL, *NOWHERE, *SHORT, "--status-port", port, "--at-end", "stay")
    assert status == 0
    assert "answered by edge    3" in out
    assert seen[-1] == "finished"
    assert {count for state, count in turns if state == "starting"} <= {0}  # loading is no block
    assert turns[-1][1] > 3  # a frame takes several turns


@pytest.mark.usefixtures("as_before")
def test_a_reader_that_has_had_enough():
    """`python -m edge | head -1`: no traceback."""
    command = [sys.executable, "-m", "edge", *SMALL, *NOWHERE, *ENDLESS, "--split-point", "output"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline().startswith("frame      0 ")
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(60) == 1
    assert [line for line in errors.splitlines() if not LOG_LINE.fullmatch(line)] == []


def test_records_that_could_not_be_written_are_exit_status_1(edge):
    status, _, errors = edge(*SMALL, *NOWHERE, *SHORT, "--results", "/dev/full")
    assert status == 1
    assert errors == ["splitdnn: 3 records could not be written to /dev/full"]
