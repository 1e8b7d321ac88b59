"""Every answer says which cloud it is of: whatever was asked, and whoever answers it, a handler or the server itself."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from kits.cloud import FRAME, Server

from shared.wire.cloud_id import CLOUD_HEADER, cloud_id_in


@pytest.fixture(scope="module")
def server() -> Any:
    with Server(anonymous="frames,profiles,json") as server:
        yield server


def _raw(server: Server, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer and (piece := connection.recv(65536)):
            answer += piece
    return answer


def test_answers_and_refusals_have_it(server: Server, pack: Any) -> None:
    own = server.service.cloud
    assert cloud_id_in(own)
    for method, path, body, kind, status in (
        ("GET", "/", b"", {}, 200),
        ("GET", "/model", b"", {}, 200),
        ("HEAD", "/model", b"", {}, 200),
        ("GET", "/nowhere", b"", {}, 404),
        ("DELETE", "/model", b"", {}, 405),
        ("GET", "/healthz", b"", {}, 200),
        ("GET", "/readyz", b"", {}, 200),
        ("GET", "/metrics", b"", {}, 401),
        ("GET", "/bundle/0000000000000000", b"", {}, 401),
        ("POST", "/model", pack(), FRAME, 200),
        ("POST", "/model", b"SDNN", FRAME, 400),
        ("POST", "/model", b"x", {"Content-Type": "text/html"}, 415),
        ("PUT", f"/profiles/{32 * '0'}", b"x", {}, 422),
        ("POST", "/compute", 8192 * b"0", {}, 413),
    ):
        answer = server.ask(method, path, body, **kind)
        assert answer.status == status, (method, path, answer.body)
        assert answer.headers[CLOUD_HEADER.lower()] == own, (method, path)
    assert server.ask("GET", "/model").json["cloud"] == own


def test_what_is_no_request_has_it_too(server: Server) -> None:
    own = f"\r\n{CLOUD_HEADER}: {server.service.cloud}\r\n".encode()
    for request, status in (
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + (1 << 20) * b"x" + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + 2000 * b"X: y\r\n" + b"\r\n", b"431"),
    ):
        answer = _raw(server, request)
        assert answer.startswith(b"HTTP/1.1 " + status), answer[:100]
        assert own in answer, answer


def test_a_cloud_that_starts_has_one_and_another_start_has_another(server: Server) -> None:
    with Server(start=False) as starting:
        answer = starting.ask("GET", "/model")
        assert answer.status == 503
        assert answer.headers[CLOUD_HEADER.lower()] == starting.service.cloud != server.service.cloud
