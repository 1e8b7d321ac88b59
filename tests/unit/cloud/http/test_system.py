"""The endpoints that take no frame, and what every endpoint says to a request that it cannot answer."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any

from kits.cloud import FRAME, Server, until

from shared import limits
from shared.codecs import CODECS
from shared.limits import MAX_PROFILE_BYTES

if TYPE_CHECKING:
    import pytest

    from shared.engines.half import Tensors
    from shared.network.bundle import Bundle
    from shared.network.model import Model
    from shared.network.partition import Partition


def test_hello_says_where_to_go_on(server: Server) -> None:
    answer = server.ask("GET", "/")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert b"GET /model" in answer.body
    assert answer.headers["server"] == "splitdnn"


def test_compute_squares(server: Server) -> None:
    cases = [
        (b"7", 49),
        (b"-1.5", 2.25),
        (b"0", 0),
        (b"4503599627370497", 4503599627370497**2),
        (b"-2e10", 4e20),
    ]
    for number, result in cases:
        answer = server.post(b'{"number": %s}' % number, path="/compute")
        assert (answer.status, answer.json) == (200, {"result": result}), number


def test_compute_refuses_what_has_no_finite_square(server: Server) -> None:
    cases = [
        (b"", 400, "bad_body"),
        (b"{", 400, "bad_body"),
        (b"7", 400, "bad_body"),
        (b"{}", 400, "bad_body"),
        (b'{"number": "7"}', 400, "bad_body"),
        (b'{"number": true}', 400, "bad_body"),
        (b'{"number": null}', 400, "bad_body"),
        (b'{"number": [7]}', 400, "bad_body"),
        (b"[" * 4000, 400, "bad_body"),
        (b'{"number": NaN}', 422, "bad_content"),
        (b'{"number": Infinity}', 422, "bad_content"),
        (b'{"number": 1e200}', 422, "bad_content"),
        (b'{"number": 1e999}', 422, "bad_content"),
        (b'{"number": 1%s}' % (b"0" * 400), 422, "bad_content"),
        (b'{"number": 7}' + b" " * 4096, 413, "too_large"),
    ]
    for body, status, reason in cases:
        server.post(body, path="/compute").refused(status, reason)


def test_model_says_what_runs_here(
    server: Server, model: Model, partition: Partition, bundle: Bundle
) -> None:
    answer = server.ask("GET", "/model")
    said = answer.json
    assert (answer.status, said["model"], said["weights"]) == (200, "residual", "random:0")
    assert bytes.fromhex(said["fingerprint"]) == model.fingerprint
    assert said["classes"] == 1000
    assert said["default_split_point"] == partition.default().name
    assert said["split_points"]["layer3"] == [256, 14, 14]
    assert said["codecs"] == {codec.name: codec.id for codec in CODECS.values()}
    assert said["wire_versions"] == [1, 2]
    assert said["preprocessing"]["crop"] == 224
    assert said["preprocessing"]["resize"] == 256
    assert (said["task"], said["outputs"], said["also_serves"]) == ("classify", ["output"], [])
    assert said["engine"].pop("choice").keys() >= {"milliseconds", "margin"}
    assert said["engine"] == {"name": "numpy", "precision": "float32", "device": "cpu", "threads": 1}
    labels = json.dumps([f"class {number}" for number in range(1000)], separators=(",", ":"))
    assert said["labels_sha256"] == hashlib.sha256(labels.encode()).hexdigest()
    assert said["bundle"] == {
        "served": False,
        "bytes": sum(each.bytes for each in bundle.manifest.files.values()),
    }
    assert said["limits"] == {
        "max_body_bytes": limits.MAX_FRAME_BYTES,
        "max_elements": limits.MAX_ELEMENTS,
        "max_tensors": limits.MAX_TENSORS,
        "max_picture_pixels": limits.MAX_ELEMENTS // 3,
        "max_file_pixels": limits.MAX_FILE_PIXELS,
        "max_profile_bytes": MAX_PROFILE_BYTES,
        "queue_capacity": 64,
        "max_batch": 8,
    }


def test_a_body_that_a_get_brings_is_ignored(server: Server) -> None:
    with server.connect() as connection:
        assert connection.ask("GET", "/model", b"x" * 5000).status == 200
        assert connection.ask("GET", "/healthz", b"x" * 5000).json == {"state": "ready"}
    until(server.is_empty)


def test_an_unknown_path_is_told_the_known_ones(server: Server) -> None:
    for path in ("/nothing", "/model/", "//", "/%ff", "/nothing?%zz", "/tail-times/"):
        assert "/readyz" in server.ask("GET", path).refused(404, "http")["error"]


def test_an_unknown_method_is_told_the_known_ones(server: Server) -> None:
    cases = [
        ("PUT", "/model", ["GET", "HEAD", "POST"]),
        ("GET", "/compute", ["POST"]),
        ("HEAD", "/compute", ["POST"]),
        ("POST", "/healthz", ["GET", "HEAD"]),
        ("DELETE", "/metrics", ["GET", "HEAD"]),
        ("POST", "/tail-times", ["GET", "HEAD"]),
        ("POST", "/profile", ["GET", "HEAD"]),
        ("PUT", "/profile", ["GET", "HEAD"]),
        ("BREW", "/model", ["GET", "HEAD", "POST"]),
    ]
    for method, path, accepted in cases:
        answer = server.ask(method, path, b"some body")
        assert (answer.status, answer.headers["allow"]) == (405, ", ".join(accepted)), (method, path)
        if method != "HEAD":
            assert answer.refused(405, "http")["accepted"] == accepted, (method, path)


def test_head_says_of_every_path_what_get_says_without_its_body(server: Server) -> None:
    """What looks whether a server is there often asks so: balancers, monitors, `wget --spider`."""
    with server.connect() as connection:
        for path in ("/", "/healthz", "/readyz", "/model", "/profiles", "/metrics", "/nothing", "/bundle/x"):
            head = connection.ask("HEAD", path)
            answer = connection.ask("GET", path)
            assert head.status == answer.status == connection.ask("HEAD", path, b"a body").status, path
            assert head.headers["content-type"] == answer.headers["content-type"], path
            if path != "/metrics":  # which counts these requests
                assert head.headers["content-length"] == str(len(answer.body)), path
    until(server.is_empty)


def test_a_bug_is_a_500_that_tells_the_log_and_not_the_client(
    expect_log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, pack: Any
) -> None:
    with Server() as server, server.connect() as connection:

        def broken(_split_point: str, _callers: object) -> Tensors:
            raise RuntimeError("secret /etc/shadow")

        with monkeypatch.context() as patch:
            patch.setattr(server.service.network.tails, "run", broken)
            patch.setattr(server.service.network.tails, "begin", lambda *_, **__: None)
            answer = connection.ask("POST", "/model", pack(), FRAME)
        refusal = answer.refused(500, "internal")
        assert (refusal["error"], refusal["accepted"]) == ("internal error; see the server's log", None)
        assert b"secret" not in answer.body
        assert server.metric("rejected_total", reason="internal") == 1
        until(lambda: server.metric("requests_total", endpoint="/model", code="500") == 1)
        (record,) = (record for record in expect_log.records if record.levelno >= logging.WARNING)
        assert "secret /etc/shadow" in str(record.exc_info)
        assert connection.ask("POST", "/model", pack(), FRAME).status == 200
        until(server.is_empty)
