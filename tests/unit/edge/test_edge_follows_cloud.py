"""`python -m edge --model cloud` with a real cloud: fetched at the start, another bundle taken while frames flow, and back again."""

from __future__ import annotations

import json
import shutil
import sys
import time
import urllib.request
from itertools import groupby

import pytest
from kits.bundles import tiny
from kits.cloud import Server
from kits.common import wait_for
from kits.edge_run import EdgeRun

from bench.harness.process import environment, free_port

pytestmark = pytest.mark.slow  # networks are compiled, and looked for every 2 s

OLD, NEW = (tiny(seed=seed).model.fingerprint.hex() for seed in (5, 6))


@pytest.fixture
def start(tmp_path):
    """Starts `python -m edge --model cloud`, as a process of its own: SIGTERM is for it alone."""
    runs = []

    def run(*arguments):
        command = [sys.executable, "-m", "edge", "--model", "cloud", "--cache-dir", tmp_path / "cache", "--threads", 1, *arguments]  # fmt: skip
        runs.append(EdgeRun([str(each) for each in command], environment()))
        return runs[-1]

    yield run
    for each in runs:
        each.end()


def replace(folder, bundle):
    """As `splitdnn bundle` does: the folder is another one at once."""
    if folder.exists():
        folder.rename(folder.with_name(f"bundle.{time.monotonic_ns()}"))
    made = folder.with_name("being-made")
    shutil.copytree(bundle.folder, made)
    made.rename(folder)


def test_there_and_back_without_a_restart(start, tmp_path):
    folder = tmp_path / "bundle"
    replace(folder, tiny(seed=5))
    with Server(model=str(folder), weights="auto", serve_bundle=True, precision="float32") as server:
        edge = start(
            "--cloud-url", f"http://127.0.0.1:{server.port}", "--deadline-s", 20, "--status-port", 0,
            "--source", "synthetic:fps=20,width=64,height=48", "--results", "-", "--show", "quiet",
        )  # fmt: skip
        for network, seed in ((OLD, 6), (NEW, 5), (OLD, None)):
            wait_for(
                lambda network=network: [each["network"] for each in edge.records[-1:]] == [network],
                f"a record of {network}",
            )
            if seed is not None:
                replace(folder, tiny(seed=seed))
        edge.terminate()
        records = edge.finish()
    assert [network for network, _ in groupby(each["network"] for each in records)] == [OLD, NEW, OLD]
    numbers = [each["frame"] for each in records]
    assert numbers == sorted(set(numbers))
    assert {each["answered_by"] for each in records} == {"cloud"}
    assert not [line for line in edge.errors if "Traceback" in line or " ERROR " in line]
    fetched = [line for line in edge.errors if "fetched tiny in" in line]
    assert len(fetched) == 2, "going back needs no transfer"


def test_while_it_waits_for_its_cloud_it_is_starting_and_can_be_stopped(start):
    port = free_port()
    edge = start(
        "--cloud-url", "http://127.0.0.1:1", "--status-port", port, "--source", "synthetic:fps=0,frames=3"
    )
    states = []

    def told():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30) as answer:
                states.append(json.load(answer)["state"])
        except OSError:
            assert edge.is_up(), edge.said()
        return states

    wait_for(told, "its status port")
    edge.terminate()
    assert edge.finish() == []
    assert states == ["starting"]
    assert any("stopped before the first frame" in line for line in edge.errors)
