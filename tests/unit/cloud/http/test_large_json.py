"""`POST /model` with JSON that is too large for this process: the same contract, and no other request waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from kits.cloud import FRAME, JSON, WAIT_S, Server, request, until
from kits.json_bodies import DIE, HANG, GatedReader, exists, first_time

from cloud.bodies.json.process import JsonProcess
from cloud.http.body import BodyHandler

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

LARGE = 1 << 17
LINE = [0.5] * 512


def padded(body: str) -> bytes:
    return body.encode() + b" " * LARGE


def at_flatten(count: int) -> bytes:
    return padded(json.dumps({"data": [LINE], "split_point": "flatten", "count": count}))


def uses(server: Server, *command: str) -> JsonProcess:
    server.service.decoder.json_process = JsonProcess(command)
    return server.service.decoder.json_process


def test_only_a_large_body_starts_a_process_and_all_large_ones_share_it() -> None:
    with Server() as server:
        small = server.post({"data": [LINE], "split_point": "flatten", "count": 1})
        assert server.service.decoder.json_process._process is None
        large = server.post(at_flatten(1))
        process = server.service.decoder.json_process._process
        assert process
        assert (small.status, small.headers["content-type"]) == (200, "application/json; charset=UTF-8")
        assert (large.status, large.headers["content-type"]) == (small.status, small.headers["content-type"])
        assert large.body == small.body
        assert server.post(at_flatten(2)).json["count"] == 2
        assert server.service.decoder.json_process._process is process
    assert process.returncode is not None  # it ended with the service, and was reaped


def test_a_large_frame_is_no_json(server: Server, pack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(server.service.decoder, "json_process", None)
        assert server.frame(pack(np.zeros((128, 28, 28), np.float32), split_point="layer2")).status == 200


REFUSED = [
    ("", 400, "bad_body"),
    ("[]", 400, "bad_body"),
    ("[" * 100_000, 400, "bad_body"),
    ('{"data": [[1, 2], [3]]}', 422, "shape"),
    ('{"data": [], "split_point": "layer33"}', 422, "split_point"),
    ('{"data": ' + json.dumps([[1e39, *LINE[1:]]]) + ', "split_point": "flatten"}', 422, "bad_content"),
    ('{"data": ' + json.dumps([LINE] * 65) + ', "split_point": "flatten"}', 413, "too_large"),
    ('{"data": [' + "[]," * 2_000_000 + "0]}", 413, "too_large"),
]


def test_a_large_body_is_refused_in_the_same_words(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    process = server.service.decoder.json_process
    refusals = [server.post(padded(body)).refused(status, reason) for body, status, reason in REFUSED]
    assert process._process
    monkeypatch.setattr(process, "read", _in_this_process)
    for (body, status, reason), refusal in zip(REFUSED, refusals, strict=True):
        assert server.post(padded(body)).refused(status, reason) == refusal


async def _in_this_process(
    pieces: list[bytes], shapes: dict, default: str, max_tensors: int, _timeout_s: float, form: str
) -> Any:
    from cloud.bodies.json.body import read_tensors

    return await asyncio.to_thread(read_tensors, b"".join(pieces), shapes, default, max_tensors)


def test_frames_are_answered_while_a_large_body_is_read(tmp_path: Path, pack: Any) -> None:
    gate = GatedReader(tmp_path)
    with Server() as server, server.connect() as slow, server.connect() as quick:
        uses(server, *gate.command)
        slow.send(request("POST", "/model", at_flatten(5), JSON))
        until(lambda: server.service.lifecycle.frames == 1)
        for number in range(10):
            answer = quick.ask("POST", "/model", pack(frame_id=number), FRAME)
            assert (answer.status, answer.json["frame_id"]) == (200, number)
            small = server.post({"data": [LINE], "split_point": "flatten", "count": number})
            assert (small.status, small.json["count"]) == (200, number)
        until(
            lambda: server.service.lifecycle.frames == 1
        )  # the slow one, not answered before its reader was let
        gate.open()
        assert slow.answer().json["count"] == 5
        until(server.is_empty)


def test_large_bodies_are_answered_each_with_its_own_and_in_order(server: Server, pack: Any) -> None:
    with server.connect() as connection, contextlib.ExitStack() as stack:
        others = [stack.enter_context(server.connect()) for _ in range(4)]
        for number, other in enumerate(others):
            other.send(request("POST", "/model", at_flatten(100 + number), JSON))
        requests = [request("POST", "/model", at_flatten(number), JSON) for number in range(4)]
        requests[1] = request("POST", "/model", padded("{"), JSON)
        requests[2] = request("POST", "/model", pack(frame_id=2), FRAME)
        connection.send(b"".join(requests))
        answers = [connection.answer() for _ in requests]
        assert [other.answer().json["count"] for other in others] == [100, 101, 102, 103]
    answers[1].refused(400, "bad_body")
    assert answers[2].json["frame_id"] == 2
    assert [answers[number].json["count"] for number in (0, 3)] == [0, 3]


def test_a_reader_that_dies_is_one_refusal(tmp_path: Path, expect_log: pytest.LogCaptureFixture) -> None:
    with Server() as server:
        uses(server, *first_time(tmp_path / "marker", DIE))
        refusal = server.post(at_flatten(1)).refused(503, "unavailable")
        assert "the process that reads large JSON bodies ended" in refusal["error"]
        assert server.metric("rejected_total", reason="unavailable") == 1
        assert server.post(at_flatten(2)).json["count"] == 2
        until(server.is_empty)
    assert [r.levelno for r in expect_log.records if r.levelno >= logging.WARNING] == [logging.WARNING]


def test_a_reader_that_hangs_is_one_refusal_at_its_requests_time(tmp_path: Path) -> None:
    with Server(request_timeout_s=0.5) as server:
        process = uses(server, *first_time(tmp_path / "marker", HANG))
        server.post(at_flatten(1)).refused(504, "deadline")
        assert server.metric("rejected_total", reason="deadline") == 1
        server.service.settings = server.service.settings.model_copy(update={"request_timeout_s": WAIT_S})
        (tmp_path / "marker").touch()  # should it have been too slow to come as far as that
        assert server.post(at_flatten(2)).json["count"] == 2
        assert process._process
        until(server.is_empty)


def test_a_client_that_goes_while_its_body_is_read_leaves_nothing_behind(tmp_path: Path, pack: Any) -> None:
    marker = tmp_path / "marker"
    with Server() as server:
        process = uses(server, *first_time(marker, HANG))
        with server.connect() as connection:
            connection.send(request("POST", "/model", at_flatten(1), JSON))
            until(marker.exists)
            assert process._process
            hung = process._process.pid
        until(server.is_empty)
        until(lambda: not exists(hung))
        assert server.metric("abandoned_total") == 1
        assert server.post(at_flatten(2)).json["count"] == 2
        assert server.frame(pack()).status == 200


def test_the_end_does_not_wait_for_a_reader_that_hangs(
    tmp_path: Path, expect_log: pytest.LogCaptureFixture
) -> None:
    marker = tmp_path / "marker"
    with Server(drain_s=0) as server, server.connect() as connection:
        process = uses(server, *first_time(marker, HANG))
        connection.send(request("POST", "/model", at_flatten(1), JSON))
        until(marker.exists)
        assert process._process
        hung = process._process.pid
        server.stop_service().result(WAIT_S)
        assert not exists(hung)
        connection.answer().refused(503, "unavailable")
    messages = [record.getMessage() for record in expect_log.records if record.levelno >= logging.WARNING]
    assert messages == ["1 frames were not finished within 0 s"]


def test_a_body_that_is_there_at_once_is_not_read_at_once(monkeypatch: pytest.MonkeyPatch, pack: Any) -> None:
    """At most two pieces, of 64 KiB each, are taken in one turn of the loop, so that others are heard between them."""
    turn, turns = 0, []
    take = BodyHandler.data_received

    def note(handler: BodyHandler, chunk: bytes) -> Any:
        turns.append(turn)
        return take(handler, chunk)

    async def count() -> None:
        nonlocal turn
        while True:
            await asyncio.sleep(0)
            turn += 1

    monkeypatch.setattr(BodyHandler, "data_received", note)
    data = request("POST", "/model", pack(np.zeros((128, 28, 28), np.float32), split_point="layer2"), FRAME)
    with Server() as server, server.connect() as connection:
        counting = asyncio.run_coroutine_threadsafe(count(), server.loop)
        asyncio.run_coroutine_threadsafe(_filled(connection.socket, data), server.loop).result(WAIT_S)
        assert connection.answer().status == 200
        counting.cancel()
    assert len(turns) > 5
    assert max(Counter(turns).values()) <= 2


async def _filled(connection: Any, data: bytes) -> None:
    """Send all of it before the loop can read any: this blocks the loop."""
    connection.sendall(data)
