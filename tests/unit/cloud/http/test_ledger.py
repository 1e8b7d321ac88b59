"""What a cloud writes down of every frame, and when."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.cloud import FRAME, Gate, Server, request, until

from cloud.http.model import ModelHandler

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


def lines_of(path: Path) -> list[tuple]:
    """Number, outcome, reason, split point and codec of each."""
    text = path.read_text()
    assert not text or text.endswith("\n")
    lines = [json.loads(line) for line in text.splitlines()]
    keys = ("frame_id", "outcome", "reason", "split_point", "codec")
    assert all(line.keys() == {*keys, "client", "time"} for line in lines)
    assert {line["client"] for line in lines} <= {"127.0.0.1"}
    return [tuple(line[key] for key in keys) for line in lines]


def test_answers_are_written_down_before_they_are_sent(
    path: Path, pack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    there_when_sent = []
    finish = ModelHandler.finish

    def look(handler: ModelHandler, *arguments: Any) -> Any:
        there_when_sent.append(len(lines_of(path)))
        return finish(handler, *arguments)

    with Server(ledger=str(path)) as server, server.connect() as connection:
        monkeypatch.setattr(ModelHandler, "finish", look)
        for number in (7, 2**40):
            answer = connection.ask("POST", "/model", pack(frame_id=number), FRAME)
            assert answer.status == 200
        connection.ask("POST", "/model", pack(codec="int8+zstd", frame_id=1), FRAME)
    assert lines_of(path) == [
        ("0000000000000007", "answered", None, "flatten", "float32"),
        ("0000010000000000", "answered", None, "flatten", "float32"),
        ("0000000000000001", "answered", None, "flatten", "int8+zstd"),
    ]
    assert there_when_sent == [1, 2, 3]


def test_refusals_are_written_down_with_as_much_as_could_be_parsed(path: Path, pack: Any) -> None:
    damaged = bytearray(pack(frame_id=1))
    damaged[-1] ^= 1
    huge = np.full((512, 7, 7), 3e38, np.float32)
    cases = [
        (b"no frame", FRAME, 400, "bad_frame", (None, None, None)),
        (bytes(damaged), FRAME, 400, "bad_frame", (None, None, None)),
        (pack(), FRAME | {"Content-Encoding": "gzip"}, 415, "media_type", (None, None, None)),
        (pack(frame_id=2, fingerprint=bytes(8)), FRAME, 409, "fingerprint", ("2", "flatten", "float32")),
        (pack(frame_id=3, codec_id=999), FRAME, 415, "bad_codec", ("3", "flatten", None)),
        (pack(frame_id=4, split_point="nowhere"), FRAME, 422, "split_point", ("4", "nowhere", "float32")),
        (pack(frame_id=5, split_point="layer4"), FRAME, 422, "shape", ("5", "layer4", "float32")),
        (pack(huge, split_point="layer4", frame_id=10), FRAME, 422, "bad_content", ("a", "layer4", "float32")),
    ]  # fmt: skip
    with Server(ledger=str(path)) as server, server.connect() as connection:
        for data, headers, status, reason, _ in cases:
            connection.ask("POST", "/model", data, headers).refused(status, reason)
    assert lines_of(path) == [
        (number and number.zfill(16), "refused", reason, point, codec)
        for _, _, _, reason, (number, point, codec) in cases
    ]


def test_refusals_by_the_header_and_late_ones_are_written_down(path: Path, pack: Any) -> None:
    with Server(start=False, ledger=str(path)) as server:
        server.frame(pack()).refused(503, "unavailable")
    with Server(ledger=str(path)) as server, Gate(server) as gate:
        server.frame(pack(deadline_ms=100, frame_id=9)).refused(504, "deadline")
        gate.open()
    assert lines_of(path) == [
        (None, "refused", "unavailable", None, None),
        ("0000000000000009", "refused", "deadline", "flatten", "float32"),
    ]


def test_a_bug_is_a_refusal_too(path: Path, pack: Any, expect_log: pytest.LogCaptureFixture) -> None:
    def broken(_split_point: str, _callers: object) -> np.ndarray:
        raise RuntimeError("bug")

    with Server(ledger=str(path)) as server:
        tails = server.service.network.tails
        tails.run, tails.begin = broken, lambda *_, **__: None  # no run goes in pieces
        server.frame(pack(frame_id=1)).refused(500, "internal")
    assert lines_of(path) == [("0000000000000001", "refused", "internal", "flatten", "float32")]
    assert "bug" in expect_log.text


def test_a_frame_whose_client_goes_before_the_answer_is_written_down_once(path: Path, pack: Any) -> None:
    with Server(max_batch=1, ledger=str(path)) as server, Gate(server) as gate:
        with server.connect() as half:
            half.send(request("POST", "/model", b"12345", FRAME | {"Content-Length": "1000"}))
            until(lambda: server.service.buffered_bytes == 5)
        until(lambda: server.metric("abandoned_total") == 1)
        with server.connect() as running:
            running.send(request("POST", "/model", pack(frame_id=1), FRAME))
            gate.entered()
        until(lambda: server.metric("abandoned_total") == 2)
        with server.connect() as waiting:
            waiting.send(request("POST", "/model", pack(frame_id=2), FRAME))
            until(lambda: server.metric("queue_depth") == 1)
        until(lambda: server.metric("abandoned_total") == 3)
        gate.open()
        assert server.frame(pack(frame_id=3)).status == 200
    assert lines_of(path) == [
        (None, "abandoned", None, None, None),
        ("0000000000000001", "abandoned", None, "flatten", "float32"),
        ("0000000000000002", "abandoned", None, "flatten", "float32"),
        ("0000000000000003", "answered", None, "flatten", "float32"),
    ]


def test_nothing_else_is_written_down(path: Path, pack: Any) -> None:
    with Server(ledger=str(path)) as server:
        assert server.post({"data": [[0.5] * 512], "split_point": "flatten"}).status == 200
        server.post(b"{").refused(400, "bad_body")
        server.post(pack(), {"Content-Type": "text/html"}).refused(415, "media_type")
        server.post(pack(), FRAME, "/compute").refused(400, "bad_body")
        assert server.ask("GET", "/model", **FRAME).status == 200
        server.ask("PUT", "/model", pack(), **FRAME).refused(405, "http")
    assert path.read_text() == ""


def test_a_cloud_that_restarts_goes_on_behind_a_torn_line(
    path: Path, pack: Any, expect_log: pytest.LogCaptureFixture
) -> None:
    for number in (1, 2):
        with Server(ledger=str(path)) as server:
            assert server.frame(pack(frame_id=number)).status == 200
        with path.open("a") as file:
            file.write('{"frame_id":"00')
    first, torn, second, _ = path.read_text().splitlines()
    assert [json.loads(line)["frame_id"][-1] for line in (first, second)] == ["1", "2"]
    assert torn == '{"frame_id":"00'
    (warning,) = (record.getMessage() for record in expect_log.records if record.levelno >= logging.WARNING)
    assert "the last line was cut off" in warning


def test_frames_go_on_while_the_disk_is_full(pack: Any, expect_log: pytest.LogCaptureFixture) -> None:
    with Server(ledger="/dev/full") as server, server.connect() as connection:
        for _ in range(3):
            assert connection.ask("POST", "/model", pack(), FRAME).status == 200
        connection.ask("POST", "/model", b"no frame", FRAME).refused(400, "bad_frame")
        assert server.metric("ledger_errors_total") == 4
    (record,) = (record for record in expect_log.records if record.levelno >= logging.WARNING)
    assert "No space left on device" in record.getMessage()


def test_without_the_setting_there_is_none(server: Server, pack: Any) -> None:
    assert server.service.ledger is None
    assert server.frame(pack()).status == 200
