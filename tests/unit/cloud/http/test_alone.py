"""A frame that is alone: one hand-over to a thread, and everything else as beside others."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.cloud import FRAME, WAIT_S, Gate, Server, request, until
from kits.codecs import picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cloud.access.clients import Account

STEPS = ["receive", "decode", "queue", "tail", "top"]
OTHER = "127.0.0.9"


@pytest.fixture
def alone() -> Iterator[Server]:
    """A server on which no other client was lately; its tail at `flatten` is ready."""
    with Server() as server:
        server.service.network.tails.prepare("flatten")
        yield server


def calls(server: Server) -> tuple[int, int]:
    """Calls on the threads that decode, and on the tails'."""
    pools = server.service.pools
    return pools.decode.calls, pools.tails.calls


def account(server: Server, name: str = "127.0.0.1") -> Account:
    return server.service.clients.account(name)


def test_it_goes_its_whole_way_on_one_thread(alone: Server, pack: Any) -> None:
    before = calls(alone)
    answers = [alone.frame(pack(frame_id=number)).json for number in range(3)]
    assert calls(alone) == (before[0], before[1] + 3)
    assert [answer["frame_id"] for answer in answers] == [0, 1, 2]
    for answer in answers:
        assert list(answer["stages_ms"]) == STEPS
        assert answer["stages_ms"]["queue"] == 0
        assert answer["stages_ms"]["tail"] > 0


def test_it_is_counted_and_charged_as_others_are(alone: Server, pack: Any) -> None:
    alone.frame(pack())
    until(alone.is_empty)
    for step in STEPS:
        assert alone.metric("stage_duration_seconds_count", stage=step) == 1, step
    for step in ("decode", "tail", "top"):
        assert alone.metric("stage_cpu_seconds_total", stage=step) > 0, step
    for name in ("batch_size", "queue_wait_seconds"):
        assert alone.metric(f"{name}_count") == 1, name
    assert alone.metric("batch_size_sum") == 1
    assert alone.metric("payload_bytes_count", codec="float32") == 1
    assert alone.metric("requests_total", endpoint="/model", code="200") == 1
    assert account(alone).compute_s > alone.metric("stage_duration_seconds_sum", stage="tail") > 0
    assert account(alone).settle() == 0


def test_it_gives_the_answer_that_it_gives_beside_others(alone: Server, pack: Any) -> None:
    data = pack(np.random.default_rng(5).normal(size=512).astype(np.float32))
    found = alone.frame(data).json["top"]
    with alone.connect(OTHER) as other:  # from now on there are several clients
        before = calls(alone)
        assert other.ask("POST", "/model", data, FRAME).json["top"] == found
        assert alone.frame(data).json["top"] == found
        assert calls(alone) == (before[0] + 2, before[1] + 2)


def test_what_comes_meanwhile_waits_for_the_tail_and_is_decoded_at_once(alone: Server, pack: Any) -> None:
    with contextlib.ExitStack() as stack:
        gate = stack.enter_context(Gate(alone))
        connections = [stack.enter_context(alone.connect()) for _ in range(3)]
        before = calls(alone)
        connections[0].send(request("POST", "/model", pack(frame_id=0), FRAME))
        gate.entered()
        for number in (1, 2):
            connections[number].send(request("POST", "/model", pack(frame_id=number), FRAME))
        until(lambda: alone.metric("queue_depth") == 2)
        assert calls(alone) == (before[0] + 2, before[1] + 1)
        gate.open()
        assert [connection.answer().json["frame_id"] for connection in connections] == [0, 1, 2]
        assert gate.batches == [("flatten", 1), ("flatten", 2)]


def test_its_deadline_holds_while_its_tail_runs_and_the_place_is_held_until_the_end(
    alone: Server, pack: Any
) -> None:
    with Gate(alone) as gate:
        assert "no answer" in alone.frame(pack(deadline_ms=500)).refused(504, "deadline")["error"]
        with alone.connect() as connection:
            connection.send(request("POST", "/model", pack(), FRAME))
            until(lambda: alone.metric("queue_depth") == 1)
            assert len(gate.batches) == 1
            gate.open()
            assert connection.answer().status == 200
    until(lambda: alone.service.batcher._free == 1)


def test_a_client_that_goes_leaves_the_place_when_the_thread_is_free(alone: Server, pack: Any) -> None:
    with Gate(alone) as gate:
        connection = alone.connect()
        connection.send(request("POST", "/model", pack(), FRAME))
        gate.entered()
        connection.close()
        until(alone.is_empty)
        assert alone.service.batcher._free == 0
        gate.open()
        until(lambda: alone.service.batcher._free == 1)
    assert alone.metric("abandoned_total") == 1
    assert account(alone).compute_s > 0
    assert alone.frame(pack()).status == 200


def test_refusals_are_the_same(alone: Server, pack: Any) -> None:
    whole = pack()
    alone.frame(whole[:-1]).refused(400, "bad_frame")
    alone.frame(b"").refused(400, "bad_frame")
    alone.frame(whole[:-1] + bytes([whole[-1] ^ 1])).refused(400, "bad_frame")
    alone.frame(pack(fingerprint=bytes(8))).refused(409, "fingerprint")
    alone.frame(pack(np.full(512, 3e38, np.float32))).refused(422, "bad_content")
    assert alone.metric("stage_duration_seconds_count", stage="decode") == 5
    assert alone.frame(whole).status == 200


def test_a_tail_that_fails_is_its_own_frames_error(
    alone: Server, pack: Any, expect_log: pytest.LogCaptureFixture
) -> None:
    tails = alone.service.network.tails
    run = tails.run

    def broken(*_given: Any) -> Any:
        raise ValueError("poison")

    tails.run = broken  # type: ignore[method-assign]
    alone.frame(pack()).refused(500, "internal")
    assert "poison" in expect_log.text
    assert not alone.service.batcher._costs._seconds, "what fails at once would seem cheap"
    tails.run = run  # type: ignore[method-assign]
    assert alone.frame(pack()).status == 200


def test_a_tail_that_is_not_ready_is_compiled_elsewhere(pack: Any) -> None:
    with Server() as server:
        before = calls(server)
        assert server.frame(pack()).status == 200
        assert server.service.pools.compiling.calls == 1
        assert calls(server) == (before[0], before[1] + 2)  # what it came to, and its tail
        assert server.metric("stage_duration_seconds_count", stage="decode") == 1


def test_a_picture_is_resized_on_the_threads_for_pictures(alone: Server, pack: Any) -> None:
    alone.service.network.tails.prepare("input")
    answer = alone.frame(pack(picture(360, 640), "png", split_point="input")).json
    assert list(answer["stages_ms"]) == STEPS
    assert alone.service.pools.pictures.calls == 1
    assert alone.metric("stage_duration_seconds_count", stage="decode") == 1


def test_a_large_body_has_its_turn_at_decoding(
    alone: Server, pack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.bodies.alone._MOST_BYTES", 100)
    before = calls(alone)
    assert alone.frame(pack()).status == 200
    assert calls(alone) == (before[0] + 1, before[1] + 1)


def test_the_loop_answers_meanwhile(alone: Server, pack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding may take long: the event loop does not wait for it."""
    begun, go_on = threading.Event(), threading.Event()
    read = type(alone.service.decoder).read_frame

    def slow(*given: Any) -> Any:
        begun.set()
        assert go_on.wait(WAIT_S)
        return read(*given)

    monkeypatch.setattr("cloud.bodies.decoder.Decoder.read_frame", slow)
    with alone.connect() as connection:
        connection.send(request("POST", "/model", pack(), FRAME))
        assert begun.wait(WAIT_S)
        assert alone.ask("GET", "/healthz").status == 200
        go_on.set()
        assert connection.answer().status == 200


def test_it_has_its_line_in_the_ledger(tmp_path: Path, pack: Any) -> None:
    ledger = tmp_path / "ledger.jsonl"
    with Server(ledger=str(ledger)) as server:
        server.service.network.tails.prepare("flatten")
        server.frame(pack(frame_id=7))
    (line,) = map(json.loads, ledger.read_text(encoding="utf-8").splitlines())
    assert (line["frame_id"], line["outcome"]) == (f"{7:016x}", "answered")
    assert (line["split_point"], line["codec"]) == ("flatten", "float32")
