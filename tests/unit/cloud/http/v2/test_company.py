"""Inference requests beside frames and other clients: one queue, the same quotas, and nobody pays for another's mistake."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.cloud import FRAME, Gate, Server, request, until
from kits.inference import HEADER, asked, body, infer, outputs, path_of, tensor, texts
from kits.tokens import Tokens, bearing

from shared.security.rights import Right

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FLAT = np.linspace(-1, 1, 512, dtype=np.float32)[None]
ONE, TWO, THREE = "127.0.0.7", "127.0.0.8", "127.0.0.9"


def sent(server: Server, source: str, *inputs: Any, **fields: Any) -> Any:
    """A connection on which a request is under way."""
    data, headers = body(*inputs, **fields)
    connection = server.connect(source)
    connection.send(request("POST", path_of(server), data, headers))
    return connection


def test_a_batch_holds_frames_tensors_and_rows_alike(pack: Callable[..., bytes]) -> None:
    with Server(max_batch=8) as server:
        with Gate(server) as gate:
            connections = [server.connect(ONE)]
            connections[0].send(request("POST", "/model", pack(), FRAME))
            gate.entered()
            connections.append(server.connect(TWO))
            connections[-1].send(request("POST", "/model", pack(), FRAME))
            connections.append(sent(server, THREE, tensor("flatten", np.repeat(FLAT, 2, axis=0))))
            connections.append(sent(server, TWO, texts(pack(), pack())))
            connections.append(sent(server, ONE, tensor("flatten", FLAT.astype(np.float16))))
            until(lambda: server.metric("queue_depth") == 6)
            gate.open()
            answers = [connection.answer() for connection in connections]
            for connection in connections:
                connection.close()
        assert server.metric("batch_size_sum") == 7
        assert server.metric("batch_size_count") < 7
        expected = answers[0].json["top"][0]["class_id"]
        for answer in answers[:2]:
            assert answer.json["top"][0]["class_id"] == expected
        for answer in answers[2:]:
            assert (outputs(answer)["output"].argmax(1) == expected).all()


def test_a_poisoned_request_is_its_senders_alone(pack: Callable[..., bytes]) -> None:
    with Server() as server:
        poison = np.full((1, 512), 3e38, np.float32)
        with Gate(server) as gate:
            first = server.connect(ONE)
            first.send(request("POST", "/model", pack(), FRAME))
            gate.entered()
            bad = sent(server, TWO, tensor("flatten", np.concatenate([FLAT, poison])))
            also_bad = sent(server, TWO, texts(pack(poison[0]), pack()))
            honest = sent(server, THREE, tensor("flatten", FLAT))
            until(lambda: server.metric("queue_depth") == 5)
            gate.open()
            assert first.answer().status == 200
            bad.answer().refused(422, "bad_content")
            also_bad.answer().refused(422, "bad_content")
            found = outputs(honest.answer())["output"]
            for connection in (first, bad, also_bad, honest):
                connection.close()
        good = outputs(infer(server, tensor("flatten", FLAT)))["output"]
        np.testing.assert_allclose(found, good, rtol=1e-4, atol=2e-4)
        until(server.is_empty)


def test_each_row_counts_as_a_frame() -> None:
    with Server(client_frames=4) as server:
        refused = infer(server, tensor("flatten", np.repeat(FLAT, 5, axis=0))).refused(429, "over_quota")
        assert refused["accepted"] == {"frames_in_flight": 4}
        for _ in range(3):  # what was counted is given back
            assert infer(server, tensor("flatten", np.repeat(FLAT, 4, axis=0))).status == 200
        until(server.is_empty)
        assert server.service.clients.account("127.0.0.1").frames == 0


def test_a_queue_without_room_for_all_rows_is_full(pack: Callable[..., bytes]) -> None:
    with Server(queue_capacity=4) as server, Gate(server) as gate:
        held = [sent(server, ONE, tensor("flatten", FLAT))]
        gate.entered()
        held.append(sent(server, TWO, tensor("flatten", FLAT)))
        until(lambda: server.metric("queue_depth") == 1)
        for rows in (tensor("flatten", np.repeat(FLAT, 4, axis=0)), texts(*[pack()] * 4)):
            infer(server, rows).refused(503, "queue_full")
        gate.open()
        assert [connection.answer().status for connection in held] == [200, 200]
        for connection in held:
            connection.close()


def test_a_frames_own_deadline_holds(pack: Callable[..., bytes]) -> None:
    with Server() as server, Gate(server):
        for rows in (texts(pack(deadline_ms=60)), texts(pack(deadline_ms=60), pack(deadline_ms=60))):
            infer(server, rows).refused(504, "deadline")
            infer(server, rows, parameters={"timeout": 10**9}).refused(504, "deadline")


def test_who_leaves_takes_his_rows_with_him(tmp_path: Path, pack: Callable[..., bytes]) -> None:
    ledger = tmp_path / "ledger.jsonl"
    with Server(ledger=str(ledger)) as server:
        with Gate(server) as gate:
            first = sent(server, ONE, tensor("flatten", FLAT))
            gate.entered()
            leaving = sent(server, TWO, texts(pack(frame_id=1), pack(frame_id=2)))
            until(lambda: server.metric("queue_depth") == 2)
            leaving.close()
            until(lambda: server.metric("queue_depth") == 0)
            gate.open()
            assert first.answer().status == 200
            first.close()
        until(server.is_empty)
        assert server.metric("abandoned_total") == 1
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    gone = [each["frame_id"] for each in lines if each["outcome"] == "abandoned"]
    assert sorted(gone) == ["0000000000000001", "0000000000000002"]


def test_what_is_asked_and_what_is_computed_are_counted_apart() -> None:
    with Server() as server:
        infer(server, tensor("flatten", FLAT))
        infer(server, tensor("flatten", FLAT[:, :5]))
        server.ask("GET", path_of(server, ""))
        server.ask("GET", "/v2/health/ready")
        # A request is counted once its answer is on its way, so the client may be faster.
        until(lambda: server.metric("request_duration_seconds_count", endpoint="/v2/models") == 2)
        until(lambda: server.metric("requests_total", endpoint="/v2", code="200") == 2)
        assert server.metric("requests_total", endpoint="/v2/models", code="200") == 1
        assert server.metric("requests_total", endpoint="/v2/models", code="422") == 1
        assert server.metric("payload_bytes_count", codec="float32") == 1
        assert server.metric("stage_cpu_seconds_total", stage="decode") > 0


@pytest.mark.parametrize(("right", "binary", "text"), [("frames", 200, 403), ("json", 403, 200)])
def test_rights(tmp_path: Path, right: str, binary: int, text: int) -> None:
    tokens = Tokens(tmp_path / "tokens")
    shown = bearing(tokens.add("client", Right(right)))
    with Server(token_file=str(tokens.path)) as server:
        data, headers = body(tensor("flatten", FLAT))
        assert server.ask("POST", path_of(server), data, **headers, **shown).status == binary
        given = {"name": "flatten", "shape": [1, 512], "datatype": "FP32", "data": FLAT.ravel().tolist()}
        plain = json.dumps({"inputs": [given]}).encode()
        assert server.ask("POST", path_of(server), plain, **shown).status == text
        server.ask("POST", path_of(server), data, **headers).refused(401, "unauthenticated")
        assert server.ask("GET", path_of(server, ""), **shown).status == 200
        server.ask("GET", path_of(server, "")).refused(401, "unauthenticated")
        assert server.ask("GET", "/v2/health/ready").status == 200


def test_large_json_is_read_beside_the_loop(server: Server, crossing: Callable[..., Any]) -> None:
    tensors, logits = crossing("layer4", 4)
    given = {"name": "layer4", "shape": list(tensors.shape), "datatype": "FP32", "data": tensors.tolist()}
    sent_fields = {"inputs": [given], "id": "large", "outputs": asked("output", binary_data=True)}
    data = json.dumps(sent_fields).encode()
    assert len(data) > 64 << 10
    response = server.ask("POST", path_of(server), data)
    np.testing.assert_allclose(outputs(response)["output"], logits, rtol=1e-4, atol=2e-4)
    length = int(response.headers[HEADER.lower()])
    assert json.loads(response.body[:length])["id"] == "large"
    given["data"][0][0][0][0] = "x"
    server.ask("POST", path_of(server), json.dumps({"inputs": [given]}).encode()).refused(422, "shape")
