"""`python -m edge --model cloud` with a real cloud: fetched at the start, another bundle taken while frames flow, and back again."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import threading
import time
import urllib.request
from itertools import groupby

import pytest
from kits.bundles import tiny
from kits.cloud import Server
from kits.edge_main import interrupt

pytestmark = pytest.mark.slow  # networks are compiled, and looked for every 2 s

OLD, NEW = (tiny(seed=seed).model.fingerprint.hex() for seed in (5, 6))


def replace(folder, bundle):
    """As `splitdnn bundle` does: the folder is another one at once."""
    if folder.exists():
        folder.rename(folder.with_name(f"bundle.{time.monotonic_ns()}"))
    made = folder.with_name("being-made")
    shutil.copytree(bundle.folder, made)
    made.rename(folder)


def in_thread(results, steps):
    """Take the steps one after another, each as soon as a record is of the network before it; then end the edge."""

    def networks():
        if not results.exists():
            return []
        # A line that is being written may show its beginning, up to the end of a page of memory.
        whole, _, _ = results.read_text().rpartition("\n")
        return [json.loads(line)["network"] for line in whole.splitlines()]

    def run():
        deadline = time.monotonic() + 120
        for network, step in steps:
            while network not in networks()[-1:] and time.monotonic() < deadline:
                time.sleep(0.05)
            step()
        interrupt()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_there_and_back_without_a_restart(edge, tmp_path):
    folder, results, seen = tmp_path / "bundle", tmp_path / "out.jsonl", []
    replace(folder, tiny(seed=5))
    common = [
        "--model",
        "cloud",
        "--cache-dir",
        tmp_path / "cache",
        "--status-port",
        0,
        "--threads",
        1,
        "--show",
        "quiet",
    ]
    with Server(model=str(folder), weights="auto", serve_bundle=True, precision="float32") as server:
        cloud = ["--cloud-url", f"http://127.0.0.1:{server.port}", "--deadline-s", 20]
        steps = [
            (OLD, lambda: replace(folder, tiny(seed=6))),
            (NEW, lambda: replace(folder, tiny(seed=5))),
            (OLD, lambda: seen.append("back")),
        ]
        thread = in_thread(results, steps)
        status, _, errors = edge(
            *common, *cloud, "--source", "synthetic:fps=20,width=64,height=48", "--results", results
        )
        thread.join(30)
        assert (status, errors, seen) == (0, [], ["back"])
        records = [json.loads(line) for line in results.read_text().splitlines()]
        assert [network for network, _ in groupby(each["network"] for each in records)] == [OLD, NEW, OLD]
        numbers = [each["frame"] for each in records]
        assert numbers == sorted(set(numbers))
        assert {each["answered_by"] for each in records} == {"cloud"}
        fetched = [line for line in edge.log if "fetched tiny in" in line]
        assert len(fetched) == 2, "going back needs no transfer"


def test_while_it_waits_for_its_cloud_it_is_starting_and_can_be_stopped(edge, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    states = []

    def stop():
        deadline = time.monotonic() + 60
        while not states and time.monotonic() < deadline:
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer,
            ):
                states.append(json.load(answer)["state"])
        interrupt()

    thread = threading.Thread(target=stop, daemon=True)
    thread.start()
    status, out, errors = edge(
        "--model", "cloud", "--cloud-url", "http://127.0.0.1:1", "--cache-dir", tmp_path, "--status-port", port, "--threads", 1,
        "--source", "synthetic:fps=0,frames=3",
    )  # fmt: skip
    thread.join(30)
    assert (status, out, errors, states) == (0, "", [], ["starting"])
    assert any("stopped before the first frame" in line for line in edge.log)
