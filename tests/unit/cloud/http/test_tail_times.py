"""`GET /tail-times`: how long the tails take, measured once for all who ask."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

import pytest
from kits.cloud import FRAME, Server, request, until, waiting
from kits.tail_times import RUNS, Clock, quick, tail_times

from cloud.batching import tail_times as module
from shared.errors import EngineError
from shared.network.stage_ends import stage_ends

if TYPE_CHECKING:
    from shared.network.partition import Partition


@pytest.fixture(scope="module")
def names(partition: Partition) -> list[str]:
    return ["input", *(point.name for point in stage_ends(partition.points.values()))]


# --- what it says -----------------------------------------------------------------------------------------------------


def test_every_tail_that_is_worth_choosing_is_timed(names: list[str]) -> None:
    with Server(max_batch=1) as server:
        said = tail_times(server)
        assert server.metric("stage_cpu_seconds_total", stage="tail") == 0
    assert said["batch_sizes"] == [1]
    assert list(said["tails_ms"]) == names
    assert all(len(row) == 1 and row[0] > 0 for row in said["tails_ms"].values())


def test_the_fastest_run_counts_for_each_batch_size(
    names: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cloud.batching.tail_times")
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)

    def take(split_point: str, size: int, times: int) -> None:
        """Warming up takes longest, and the second timed run is the fastest."""
        clock.now += 1e-3 * (4 * names.index(split_point) + size + (50, 7, 0, 3)[times])

    with quick(max_batch=3, batch_wait_ms=7) as (server, tails):
        tails.during = take
        said = tail_times(server)
        model = server.ask("GET", "/model").json
        assert server.metric("requests_total", endpoint="/tail-times", code="200") == 1
        assert server.metric("batch_size_count") == 0  # no frame was run
    assert list(said) == [
        "fingerprint", "engine", "batch_sizes", "tails_ms", "batch_wait_ms", "max_batch", "tail_workers",
    ]  # fmt: skip
    del model["engine"]["choice"]
    assert (said["fingerprint"], said["engine"]) == (model["fingerprint"], model["engine"])
    assert (said["batch_sizes"], said["batch_wait_ms"], said["max_batch"]) == ([1, 2, 3], 7, 3)
    assert said["tail_workers"] == 1
    assert said["tails_ms"] == {
        name: [4 * place + size for size in (1, 2, 3)] for place, name in enumerate(names)
    }
    assert tails.ready == names[1:]
    (line,) = [record.getMessage() for record in caplog.records if record.name == "cloud.batching.tail_times"]
    seconds = sum(
        RUNS * (4 * place + size) + 60 for place in range(len(names)) for size in (1, 2, 3)
    )  # milliseconds
    assert line.startswith(
        f"timed the tails at {len(names)} split points, in batches of up to 3, in {seconds / 1e3:.1f} s: input 1.0 ms, "
    )
    assert line.endswith(" ms")


def test_the_old_path_answers_the_same(names: list[str]) -> None:
    with quick(max_batch=1) as (server, tails):
        answers = [server.ask("GET", path) for path in ("/profile", "/tail-times", "/profile")]
        assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}
        assert len(tails.runs) == RUNS * len(names)
        until(lambda: server.metric("requests_total", endpoint="/profile", code="200") == 2)
        assert server.metric("requests_total", endpoint="/tail-times", code="200") == 1


def test_batches_are_powers_of_two_and_the_largest() -> None:
    cases = [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (8, [1, 2, 4, 8]), (12, [1, 2, 4, 8, 12]), (256, [1 << n for n in range(9)])]  # fmt: skip
    for largest, sizes in cases:
        assert module._batch_sizes(largest) == sizes, largest


@pytest.mark.parametrize("workers", [1, 3])
def test_each_thread_warms_up_before_three_runs_count(names: list[str], workers: int) -> None:
    with quick(max_batch=2, tail_workers=workers) as (server, tails):
        assert tail_times(server)["tail_workers"] == workers
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
        said = tail_times(server)
    assert said["batch_sizes"] == [1]
    assert {name: len(row) for name, row in said["tails_ms"].items()} == dict.fromkeys(names, 1)
    assert tails.runs == [(name, 1) for name in names for _ in range(2)]


def test_a_batch_size_is_left_out_at_every_split_point_if_the_time_ends_in_its_middle(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)

    def end_the_time(split_point: str, size: int, _times: int) -> None:
        if (split_point, size) == (names[2], 4):
            clock.now = 100.0

    with quick() as (server, tails):
        tails.during = end_the_time
        said = tail_times(server)
    assert said["batch_sizes"] == [1, 2]
    assert {len(row) for row in said["tails_ms"].values()} == {2}
    assert tails.runs[-1] == (names[2], 4)


# --- once for all who ask ---------------------------------------------------------------------------------------------


def test_all_who_ask_meanwhile_share_one_measurement(names: list[str]) -> None:
    with quick(max_batch=1) as (server, tails), contextlib.ExitStack() as stack:
        tails.gate.clear()
        connections = [stack.enter_context(server.connect()) for _ in range(5)]
        for connection in connections:
            connection.send(request("GET", "/tail-times"))
        tails.entered()
        until(lambda: server.ask("GET", "/healthz").status == 200)
        tails.gate.set()
        answers = [connection.answer() for connection in connections]
        assert {answer.status for answer in answers} == {200}
        assert len({answer.body for answer in answers}) == 1
        assert tail_times(server) == answers[0].json
        assert len(tails.runs) == RUNS * len(names)


def test_a_client_that_goes_away_does_not_end_it(names: list[str]) -> None:
    with quick(max_batch=1) as (server, tails):
        tails.gate.clear()
        with server.connect() as connection:
            connection.send(request("GET", "/tail-times"))
            tails.entered()
        until(lambda: server.metric("abandoned_total") == 1)
        tails.gate.set()
        until(lambda: len(tails.runs) == RUNS * len(names))
        assert tail_times(server)["batch_sizes"] == [1]
        assert len(tails.runs) == RUNS * len(names)
        until(lambda: server.metric("requests_total", endpoint="/tail-times", code="200") > 0)
        # The request of the client that has gone is no success.
        assert server.metric("requests_total", endpoint="/tail-times", code="200") == 1
        assert server.metric("abandoned_total") == 1


def test_frames_are_answered_between_two_runs(names: list[str], pack: Any) -> None:
    with quick(max_batch=1) as (server, tails), server.connect() as connection, server.connect() as planner:
        tails.gate.clear()
        planner.send(request("GET", "/tail-times"))
        tails.entered()
        connection.send(request("POST", "/model", pack(), FRAME))
        until(lambda: waiting(server.service.pools.tails) == 1)
        tails.gate.set()
        assert connection.answer().status == 200
        assert planner.answer().status == 200
    assert tails.runs[:4] == [("input", 1), ("input", 1), ("flatten", 1), ("input", 1)]
    assert len(tails.runs) == RUNS * len(names) + 1


def test_a_failure_is_a_500_and_after_a_pause_the_next_call_tries_again(
    names: list[str], expect_log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    with quick(max_batch=1) as (server, tails):
        tails.error = EngineError("openvino: secret")
        refusal = server.ask("GET", "/tail-times").refused(500, "internal")
        assert "secret" not in refusal["error"]
        assert "secret" in expect_log.text
        tails.error = None
        tails.runs.clear()
        expect_log.clear()
        clock.now = 59.0
        assert "minute" in server.ask("GET", "/tail-times").refused(503, "unavailable")["error"]
        assert not tails.runs
        assert "Traceback" not in expect_log.text
        clock.now = 60.0
        assert list(tail_times(server)["tails_ms"]) == names
        assert len(tails.runs) == RUNS * len(names)


# --- when there is nothing to measure with ----------------------------------------------------------------------------


def test_before_the_model_is_loaded_it_is_refused() -> None:
    with Server(start=False) as server:
        server.ask("GET", "/tail-times").refused(503, "unavailable")


def test_a_client_that_waits_when_the_server_stops_is_told() -> None:
    with quick(max_batch=1) as (server, tails), server.connect() as connection:
        tails.gate.clear()
        connection.send(request("GET", "/tail-times"))
        tails.entered()
        stopped = server.stop_service()
        connection.answer().refused(503, "unavailable")
        assert connection.ask("GET", "/tail-times").refused(503, "unavailable")
        tails.gate.set()
        stopped.result(60)
