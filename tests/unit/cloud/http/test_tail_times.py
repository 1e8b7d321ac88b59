"""`GET /profile`: how long the tails take, measured once for everybody and kept."""

from __future__ import annotations

import contextlib
import json
import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.cloud import FRAME, Gate, Server, request, until

from cloud.batching import tail_times as module
from cloud.batching.tail_times import TailTimes
from shared.errors import EngineError
from shared.network.stage_ends import stage_ends

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from shared.network.partition import Partition

RUNS = 4
"""Of one tail with one batch size, one of them to warm up."""


@pytest.fixture(scope="module")
def names(partition: Partition) -> list[str]:
    return ["input", *(point.name for point in stage_ends(partition.points.values()))]


class Quick:
    """Tails that compute nothing, and are counted."""

    def __init__(self, server: Server) -> None:
        self.runs: list[tuple[str, int]] = []
        self.error: Exception | None = None
        server.service.tails.run = self._run

    def _run(self, split_point: str, callers: Sequence[np.ndarray]) -> np.ndarray:
        (tensors,) = callers
        self.runs.append((split_point, len(tensors)))
        if self.error:
            raise self.error
        return np.zeros((len(tensors), 1000), np.float32)


@contextlib.contextmanager
def quick(cache: Path | str = "", **settings: Any) -> Iterator[tuple[Server, Quick]]:
    with Server(cache_dir=str(cache), **settings) as server:
        yield server, Quick(server)


def profile(server: Server) -> Any:
    answer = server.ask("GET", "/profile")
    assert answer.status == 200, answer
    return answer.json


def kept(cache: Path) -> list[Path]:
    return sorted(cache.glob("tail-times-*.json"))


# --- what it says -----------------------------------------------------------------------------------------------------


def test_every_tail_that_is_worth_choosing_is_timed_in_batches(
    names: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cloud.batching.tail_times")
    with Server(max_batch=3, batch_wait_ms=7) as server:
        said = profile(server)
        model = server.ask("GET", "/model").json
        assert server.metric("requests_total", endpoint="/profile", code="200") == 1
        assert server.metric("batch_size_count") == 0  # of frames there was none
        assert server.metric("stage_cpu_seconds_total", stage="tail") == 0
    assert list(said) == [
        "fingerprint", "engine", "batch_sizes", "tails_ms", "batch_wait_ms", "max_batch", "tail_workers",
    ]  # fmt: skip
    assert (said["fingerprint"], said["engine"]) == (model["fingerprint"], model["engine"])
    assert (said["batch_sizes"], said["batch_wait_ms"], said["max_batch"]) == ([1, 2, 3], 7, 3)
    assert said["tail_workers"] == 1
    assert list(said["tails_ms"]) == names
    assert all(len(row) == 3 and min(row) > 0 for row in said["tails_ms"].values())
    assert said["tails_ms"]["input"][0] > 3 * said["tails_ms"]["avgpool"][0]
    (line,) = [record.getMessage() for record in caplog.records if record.name == "cloud.batching.tail_times"]
    assert line.startswith(f"timed the tails at {len(names)} split points, in batches of up to 3, in ")
    assert line.endswith(" ms")


@pytest.mark.parametrize(
    ("largest", "sizes"),
    [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (8, [1, 2, 4, 8]), (12, [1, 2, 4, 8, 12]), (256, [1 << n for n in range(9)])],
)  # fmt: skip
def test_batches_are_powers_of_two_and_the_largest(largest: int, sizes: list[int]) -> None:
    assert module._batch_sizes(largest) == sizes


@pytest.mark.parametrize("workers", [1, 3])
def test_each_is_the_fastest_of_three_runs_on_a_warm_thread(names: list[str], workers: int) -> None:
    with quick(max_batch=2, tail_workers=workers) as (server, tails):
        assert profile(server)["tail_workers"] == workers
    most = 3 + workers
    for name in names:
        for size in (1, 2):
            assert RUNS <= tails.runs.count((name, size)) <= most
    assert RUNS * 2 * len(names) <= len(tails.runs) <= most * 2 * len(names)


def test_larger_batches_are_left_out_when_it_takes_too_long(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BUDGET_S", -1.0)
    with quick() as (server, tails):
        said = profile(server)
    assert said["batch_sizes"] == [1]
    assert {name: len(row) for name, row in said["tails_ms"].items()} == dict.fromkeys(names, 1)
    assert tails.runs == [(name, 1) for name in names for _ in range(2)]


def test_a_batch_size_in_whose_middle_the_time_is_over_is_left_out_at_every_split_point(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with quick() as (server, tails):
        clock = SimpleNamespace(
            perf_counter=module.time.perf_counter,
            monotonic=lambda: 100.0 * any(run == (names[2], 4) for run in tails.runs),
        )
        monkeypatch.setattr(module, "time", clock)
        said = profile(server)
    assert said["batch_sizes"] == [1, 2]
    assert {len(row) for row in said["tails_ms"].values()} == {2}
    assert tails.runs[-1] == (names[2], 4)


# --- once for everybody -----------------------------------------------------------------------------------------------


def test_all_who_ask_meanwhile_share_one_measurement(names: list[str]) -> None:
    with Server(max_batch=1) as server, Gate(server) as gate, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in range(5)]
        for connection in connections:
            connection.send(request("GET", "/profile"))
        gate.entered()
        until(lambda: server.ask("GET", "/healthz").status == 200)
        gate.open()
        answers = [connection.answer() for connection in connections]
        assert {answer.status for answer in answers} == {200}
        assert len({answer.body for answer in answers}) == 1
        assert profile(server) == answers[0].json
        assert len(gate.batches) == RUNS * len(names)


def test_who_goes_away_does_not_end_it(names: list[str]) -> None:
    with Server(max_batch=1) as server, Gate(server) as gate:
        with server.connect() as connection:
            connection.send(request("GET", "/profile"))
            gate.entered()
        until(lambda: server.metric("abandoned_total") == 1)
        gate.open()
        until(lambda: len(gate.batches) == RUNS * len(names))
        assert profile(server)["batch_sizes"] == [1]
        assert len(gate.batches) == RUNS * len(names)
        until(lambda: server.metric("requests_total", endpoint="/profile", code="200") > 0)
        assert server.metric("requests_total", endpoint="/profile", code="200") == 1  # not of who has gone
        assert server.metric("abandoned_total") == 1


def test_frames_are_answered_between_two_runs(names: list[str], pack: Any) -> None:
    with Server(max_batch=1) as server, Gate(server) as gate, server.connect() as connection:
        with server.connect() as planner:
            planner.send(request("GET", "/profile"))
            gate.entered()
            connection.send(request("POST", "/model", pack(), FRAME))
            until(lambda: server.service._tail_threads._work_queue.qsize() == 1)
            gate.open()
            assert connection.answer().status == 200
            assert planner.answer().status == 200
        assert gate.batches[:4] == [("input", 1), ("input", 1), ("flatten", 1), ("input", 1)]
        assert len(gate.batches) == RUNS * len(names) + 1


def test_a_failure_is_a_500_and_the_next_one_tries_again(
    names: list[str], expect_log: pytest.LogCaptureFixture
) -> None:
    with quick(max_batch=1) as (server, tails):
        tails.error = EngineError("openvino: secret")
        refusal = server.ask("GET", "/profile").refused(500, "internal")
        assert "secret" not in refusal["error"]
        assert "secret" in expect_log.text
        tails.error = None
        tails.runs.clear()
        assert list(profile(server)["tails_ms"]) == names
        assert len(tails.runs) == RUNS * len(names)


# --- kept on disk -----------------------------------------------------------------------------------------------------


def test_a_second_start_answers_at_once(tmp_path: Path) -> None:
    with quick(tmp_path, max_batch=2, batch_wait_ms=1) as (server, tails):
        first = profile(server)
        assert tails.runs
    with quick(tmp_path, max_batch=2, batch_wait_ms=5) as (server, tails):
        assert profile(server) == first | {"batch_wait_ms": 5}
        assert not tails.runs
    with quick(tmp_path, max_batch=1) as (server, tails):
        assert profile(server)["batch_sizes"] == [1]
        assert tails.runs
    assert [json.loads(path.read_text()).keys() for path in kept(tmp_path)] == [
        {"batch_sizes", "tails_ms"}
    ] * 2


def test_without_a_cache_it_is_measured_at_each_start() -> None:
    for _ in range(2):
        with quick(max_batch=1) as (server, tails):
            profile(server)
            assert tails.runs


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_text('{"batch_sizes": [1], "tails_ms": {}}'),
        lambda path: path.write_bytes(path.read_bytes()[:-7]),
        lambda path: path.unlink(),
        lambda path: path.write_text("[1, 2]"),
    ],
    ids=["changed", "cut off", "gone", "another thing"],
)
def test_what_is_damaged_is_measured_anew(tmp_path: Path, names: list[str], damage: Any) -> None:
    with quick(tmp_path, max_batch=1) as (server, _):
        profile(server)
    (path,) = kept(tmp_path)
    damage(path)
    for measured in (True, False):
        with quick(tmp_path, max_batch=1) as (server, tails):
            assert list(profile(server)["tails_ms"]) == names
            assert bool(tails.runs) == measured


def test_a_folder_that_cannot_be_written_costs_a_warning(
    tmp_path: Path, expect_log: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    with quick(tmp_path / "file", max_batch=1) as (server, tails):
        said = profile(server)
        runs = len(tails.runs)
        assert profile(server) == said
        assert len(tails.runs) == runs
    assert len([record for record in expect_log.records if record.levelno >= logging.WARNING]) == 1


def test_it_is_kept_for_this_network_engine_and_machine_only(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = stage_ends(partition.points.values())

    def key(*, fingerprint: bytes = b"12345678", workers: int = 1, max_batch: int = 8, **engine: Any) -> str:
        about = {"name": "torch", "precision": "float32", "device": "cpu", "threads": 2} | engine
        service = SimpleNamespace(
            model=SimpleNamespace(fingerprint=fingerprint),
            engine=SimpleNamespace(device=about["device"], describe=lambda: about),
            settings=SimpleNamespace(max_batch=max_batch, cache_dir=""),
            workers=workers,
        )
        return TailTimes(service)._key(points)

    keys = [
        key(), key(fingerprint=b"87654321"), key(workers=2), key(max_batch=4), key(name="openvino"),
        key(precision="bfloat16"), key(threads=4),
    ]  # fmt: skip
    assert keys[0] == key()
    for name in ("machine", "version"):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, lambda *_about: "another")
            keys.append(key())
    del points[0]
    keys.append(key())
    assert len(set(keys)) == len(keys)


# --- when there is nothing to measure with ----------------------------------------------------------------------------


def test_before_the_model_is_there_it_is_refused() -> None:
    with Server(start=False) as server:
        server.ask("GET", "/profile").refused(503, "unavailable")


def test_who_waits_when_the_server_stops_is_told() -> None:
    with Server(max_batch=1) as server, Gate(server) as gate, server.connect() as connection:
        connection.send(request("GET", "/profile"))
        gate.entered()
        stopped = server.stop_service()
        connection.answer().refused(503, "unavailable")
        assert connection.ask("GET", "/profile").refused(503, "unavailable")
        gate.open()
        stopped.result(10)
