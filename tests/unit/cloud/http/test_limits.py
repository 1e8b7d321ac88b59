"""Limits of time and room, and the server's beginning and end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from typing import Any

import pytest
from kits.cloud import FRAME, WAIT_S, Gate, Server, chunked, request, until

from cloud.workers.lifecycle import State


def test_bodies_above_the_common_budget_are_refused_until_there_is_room(pack: Any) -> None:
    data = pack()
    with Server(max_buffered_bytes=10_000) as server:
        holder = server.connect()
        holder.send(request("POST", "/model", bytes(9000), FRAME | {"Content-Length": "9001"}))
        until(lambda: server.service.buffered_bytes == 9000)
        with server.connect() as connection:
            answer = connection.ask("POST", "/model", data, FRAME)
            answer.refused(503, "queue_full")
            assert answer.headers["retry-after"] == "1"
            connection.ask("POST", "/model", chunked(data), FRAME | {"Transfer-Encoding": "chunked"}).refused(
                503, "queue_full"
            )
            assert server.service.buffered_bytes == 9000
            holder.close()
            until(server.is_empty)
            assert connection.ask("POST", "/model", data, FRAME).status == 200
            chunky = connection.ask(
                "POST", "/model", chunked(data[:700], data[700:]), FRAME | {"Transfer-Encoding": "chunked"}
            )
            assert chunky.status == 200


def test_a_full_queue_refuses_by_the_header(pack: Any) -> None:
    with Server(queue_capacity=2, max_batch=1) as server, Gate(server) as gate:
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(server.connect()) for _ in range(3)]
            connections[0].send(request("POST", "/model", pack(frame_id=0), FRAME))
            gate.entered()
            for number in (1, 2):
                connections[number].send(request("POST", "/model", pack(frame_id=number), FRAME))
                until(lambda number=number: server.metric("queue_depth") == number)
            answer = server.frame(pack())
            assert "2 of 2" in answer.refused(503, "queue_full")["error"]
            assert answer.headers["retry-after"] == "1"
            server.post({"data": [[0.5] * 512], "split_point": "flatten"}).refused(503, "queue_full")
            gate.open()
            assert [connection.answer().json["frame_id"] for connection in connections] == [0, 1, 2]
        assert server.metric("queue_depth") == 0
        assert server.metric("queue_capacity") == 2


def test_in_a_full_queue_a_client_makes_room_for_one_with_less_whatever_sessions_its_frames_name(
    pack: Any,
) -> None:
    with Server(queue_capacity=2, max_batch=1) as server, Gate(server) as gate:
        with contextlib.ExitStack() as stack:
            connections = [
                stack.enter_context(server.connect(source)) for source in ("127.0.0.7",) * 3 + ("127.0.0.8",)
            ]
            for number, connection in enumerate(connections[:3]):
                connection.send(request("POST", "/model", pack(frame_id=number << 32), FRAME))
                until(lambda number=number: len(gate.batches) + server.metric("queue_depth") == number + 1)
            connections[3].send(request("POST", "/model", pack(frame_id=99), FRAME))
            displaced = connections[2].answer()
            assert "others have less" in displaced.refused(503, "queue_full")["error"]
            assert displaced.headers["retry-after"] == "1"
            again = connections[2].ask("POST", "/model", pack(frame_id=3 << 32), FRAME)
            again.refused(503, "queue_full")
            assert connections[2].ask("GET", "/healthz").status == 200  # its connection goes on
            gate.open()
            answers = [connections[number].answer().json["frame_id"] for number in (0, 1, 3)]
            assert answers == [0, 1 << 32, 99]
        assert server.metric("rejected_total", reason="queue_full") == 2
        until(server.is_empty)


def test_as_many_tails_run_at_once_as_are_set(pack: Any) -> None:
    with Server(max_batch=1, tail_workers=3) as server, Gate(server) as gate:
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(server.connect()) for _ in range(5)]
            for number, connection in enumerate(connections):
                connection.send(request("POST", "/model", pack(frame_id=number), FRAME))
            until(lambda: len(gate.batches) == 3 and server.metric("queue_depth") == 2)
            gate.open()
            assert [connection.answer().json["frame_id"] for connection in connections] == [0, 1, 2, 3, 4]
        until(server.is_empty)


def test_an_answer_that_would_be_late_is_a_refusal(pack: Any) -> None:
    with Server(max_batch=1) as server, Gate(server) as gate, server.connect() as connection:
        for _ in range(2):  # in the tail, then in the queue
            answer = connection.ask("POST", "/model", pack(deadline_ms=500), FRAME)
            assert "ms that were left" in answer.refused(504, "deadline")["error"]
        assert server.metric("queue_depth") == 0
        gate.open()
        assert connection.ask("POST", "/model", pack(deadline_ms=20_000), FRAME).status == 200


def test_a_request_without_a_deadline_has_the_servers(pack: Any) -> None:
    with Server(request_timeout_s=0.5) as server, Gate(server):
        server.frame(pack(deadline_ms=0)).refused(504, "deadline")
        server.post({"data": [[0.5] * 512], "split_point": "flatten"}).refused(504, "deadline")
        until(server.is_empty)


def test_the_wall_clock_may_be_set(monkeypatch: pytest.MonkeyPatch, pack: Any) -> None:
    """Tornado times a request by the wall clock; a jump of it must not cost the request its deadline."""
    data, clock = pack(deadline_ms=20_000), time.time
    with Server() as server, server.connect() as connection:
        connection.send(request("POST", "/model", data, FRAME)[:-10])
        until(lambda: server.service.lifecycle.frames == 1)
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda: clock() + 3600.0)
            connection.send(data[-10:])
            answer = connection.answer()
        assert answer.status == 200
        assert answer.json["stages_ms"]["receive"] < 3_600_000
        until(lambda: server.metric("request_duration_seconds_count", endpoint="/model") == 1)
        assert server.metric("request_duration_seconds_sum", endpoint="/model") < 3600


def test_a_starting_server_says_so(pack: Any) -> None:
    with Server(start=False) as server:
        starting = server.frame(pack())
        starting.refused(503, "unavailable")
        assert "connection" not in starting.headers
        server.ask("GET", "/model").refused(503, "unavailable")
        assert (server.ask("GET", "/readyz").status, server.ask("GET", "/readyz").json) == (
            503,
            {"state": "starting"},
        )
        assert (server.ask("GET", "/healthz").status, server.ask("GET", "/healthz").json) == (
            200,
            {"state": "starting"},
        )
        assert server.post(b'{"number": 3}', path="/compute").json == {"result": 9}
        assert server.metric("ready") == 0
        asyncio.run_coroutine_threadsafe(server.service.start(), server.loop).result(WAIT_S)
        assert (server.ask("GET", "/readyz").status, server.metric("ready")) == (200, 1)
        assert server.frame(pack()).status == 200


def test_a_draining_server_refuses_the_new_and_finishes_the_old(pack: Any) -> None:
    with Server() as server, Gate(server) as gate, server.connect() as old, server.connect() as half:
        old.send(request("POST", "/model", pack(frame_id=5), FRAME))
        data = pack(frame_id=6)
        half.send(request("POST", "/model", data, FRAME)[:-100])
        gate.entered()
        until(lambda: server.service.lifecycle.frames == 2)
        stopped = server.stop_service()
        until(lambda: server.service.lifecycle.state is State.DRAINING)
        refusal = server.frame(pack())
        assert "draining" in refusal.refused(503, "unavailable")["error"]
        asked = [server.ask("GET", path) for path in ("/readyz", "/healthz")]
        assert [each.status for each in asked] == [503, 200]
        assert server.metric("ready") == 0
        assert not stopped.done()
        half.send(data[-100:])
        gate.open()
        finished = old.answer(), half.answer()
        assert [each.json["frame_id"] for each in finished] == [5, 6]
        # A client that sent its next request on such a connection would lose it.
        assert [each.headers.get("connection") for each in (refusal, *asked, *finished)] == ["close"] * 5
        stopped.result(WAIT_S)
        assert server.service.lifecycle.state is State.STOPPED
        server.frame(pack()).refused(503, "unavailable")


def test_the_drain_has_an_end(expect_log: pytest.LogCaptureFixture, pack: Any) -> None:
    with Server(drain_s=0) as server, Gate(server) as gate:
        connection = server.connect()
        connection.send(request("POST", "/model", pack(), FRAME))
        gate.entered()
        server.stop_service().result(WAIT_S)
        messages = [record.getMessage() for record in expect_log.records if record.levelno >= logging.WARNING]
        assert messages == ["1 frames were not finished within 0 s"]
        connection.close()
        until(server.is_empty)


@pytest.mark.usefixtures("expect_log")
def test_a_request_that_the_end_overtakes_before_its_decoding_is_no_success(
    monkeypatch: pytest.MonkeyPatch, pack: Any
) -> None:
    entered, go_on = threading.Semaphore(0), threading.Event()

    def read(*_arguments: Any) -> Any:
        entered.release()
        assert go_on.wait(WAIT_S)

    with Server(drain_s=0) as server, contextlib.ExitStack() as stack:
        monkeypatch.setattr("cloud.bodies.decoder.Decoder.read_frame", read)
        connections = [stack.enter_context(server.connect()) for _ in range(4)]
        for connection in connections[:3]:
            connection.send(request("POST", "/model", pack(), FRAME))
            assert entered.acquire(timeout=WAIT_S)
        connections[3].send(request("POST", "/model", pack(), FRAME))
        until(lambda: server.service.decoder.turns.waiting() == 1)
        server.stop_service().result(WAIT_S)
        connections[3].answer().refused(503, "unavailable")
        for connection in connections[:3]:
            connection.close()
        until(server.is_empty)
        go_on.set()
