"""`python -m cloud` as a process of its own: how it ends, and what it leaves on disk."""

from __future__ import annotations

import contextlib
import json
import signal
from typing import TYPE_CHECKING

import pytest
from kits.bundles import CLASSES
from kits.cloud_process import BODY, Process, get, small, turns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow  # processes, networks or compilations

JSON = {"Content-Type": "application/json"}
STUCK = (
    "import cloud.batching.tails\ncloud.batching.tails.Tails.run = lambda *_: print('tail', file=sys.stderr, flush=True)"
    " or threading.Event().wait(3600)\ncloud.batching.tails.Tails.begin = lambda *_, **__: None"
)
LOADING = "import shared.network.find\nshared.network.find.find_bundle = lambda *_, **__: threading.Event().wait(3600)"


@pytest.fixture(scope="module")
def started(cache_dir: str) -> Iterator[dict[str, Process]]:
    """One process for each way to end, all of them started at once. Each is one test's."""
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setenv("SPLITDNN_CACHE_DIR", cache_dir)
        yield {
            name: stack.enter_context(Process(*small(), *arguments, beforehand=beforehand))
            for name, arguments, beforehand in (
                ("SIGTERM", (), ""),
                ("SIGINT", (), ""),
                ("SIGKILL", (), ""),
                ("stuck", ("--drain-s", "0.05"), STUCK),
                ("SIGTERM while loading", (), LOADING),
                ("SIGINT while loading", (), LOADING),
            )
        }


def ask_with_a_large_body(process: Process) -> None:
    """It has started the process that reads them."""
    connection = process.connect()
    connection.request("POST", "/model", BODY + b" " * 100_000, JSON)
    assert json.load(connection.getresponse())["count"] == 7
    connection.close()


# --- signals ----------------------------------------------------------------------------------------------------------


def test_sigterm_lets_a_frame_in_progress_finish(started: dict[str, Process]) -> None:
    process = started["SIGTERM"]
    process.ready()
    assert get(process, "/readyz") == (200, b'{"state": "ready"}')
    ask_with_a_large_body(process)
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
    assert (response.status, answer["count"], len(answer["result"][0])) == (200, 7, CLASSES)
    connection.close()
    process.logged("stopped$")
    process.closed()  # the process that reads large bodies has ended, too
    process.ended_well()


@pytest.mark.parametrize("name", ["SIGINT", "SIGKILL"])
def test_the_process_that_reads_large_bodies_does_not_outlive_it(
    started: dict[str, Process], name: str
) -> None:
    process = started[name]
    process.ready()
    ask_with_a_large_body(process)
    process.signal(signal.Signals[name])
    process.closed()
    if name != "SIGKILL":
        process.ended_well()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_while_the_model_loads_ends_it_at_once(started: dict[str, Process], name: str) -> None:
    process = started[f"{name} while loading"]
    process.listening()
    assert get(process, "/healthz") == (200, b'{"state": "starting"}')
    assert turns(process) == 0  # loading is no block
    process.signal(signal.Signals[name])
    process.ended_well()  # its thread is still loading


def test_a_signal_while_everything_is_imported_is_no_crash() -> None:
    with Process(*small()) as process:
        process.logged("threads: ")  # the line before the imports
        process.signal()
        process.ended_well()


def test_a_tail_that_never_ends_does_not_outlast_the_drain(started: dict[str, Process]) -> None:
    process = started["stuck"]
    process.ready()
    connection = process.connect()
    connection.request("POST", "/model", BODY, JSON)
    process.logged("^tail")
    process.signal()
    process.logged("1 frames were not finished within")
    process.ended_well()
    connection.close()


# --- imports ----------------------------------------------------------------------------------------------------------

WATCHED = """
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "torchvision"):
            print("imports", name, file=sys.stderr, flush=True)

sys.meta_path.insert(0, Watch())
"""


def test_a_cloud_that_runs_a_bundle_imports_no_torch() -> None:
    """Nor while it answers, times its tails and says what it runs."""
    with Process(*small(), "--serve-bundle", beforehand=WATCHED) as process:
        process.ready()
        ask_with_a_large_body(process)
        fingerprint = json.loads(get(process, "/model")[1])["fingerprint"]
        for path in (
            "/tail-times",
            f"/bundle/{fingerprint}",
            f"/bundle/{fingerprint}/network.bin",
            "/metrics",
        ):
            assert get(process, path)[0] == 200, path
        process.signal()
        process.ended_well()
        assert not [line for line in process.log if line.startswith("imports ")]


# --- the disk ---------------------------------------------------------------------------------------------------------

NAMED = ("--port", "0", "--model", "squeezenet1_1", "--weights", "random", "--threads", "2")


def test_a_second_start_takes_what_the_first_one_converted_and_chose(tmp_path: Path) -> None:
    cache = tmp_path / "new" / "cache"
    engines, logs = [], []
    for _ in range(2):
        with Process(*NAMED, "--engine", "auto", "--cache-dir", str(cache)) as process:
            process.ready()
            engines.append(json.loads(get(process, "/model")[1])["engine"])
            process.signal()
            process.ended_well()
            logs.append("".join(process.log))
    assert ["making the bundle of squeezenet1_1" in log for log in logs] == [True, False]
    assert {engine["name"] for engine in engines} == {"openvino"}
    assert engines[0]["threads"] == 2
    kept = {path.name.partition("-")[0] for path in cache.iterdir()}
    assert "bundle" in kept
    assert kept <= {"bundle", "choice"}  # a choice that was made on a busy machine is not kept


def test_nothing_is_kept_on_disk_if_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with Process(*NAMED, "--engine", "openvino", "--precision", "float32", "--cache-dir", "") as process:
        process.ready()
        assert json.loads(get(process, "/model")[1])["engine"]["name"] == "openvino"
        process.signal()
        process.ended_well()
    assert not list(tmp_path.rglob("*splitdnn*"))
