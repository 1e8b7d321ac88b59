"""Connections: order, refusals while a body is still coming, slow clients, and clients that go away."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import pytest
from kits.cloud import FRAME, WAIT_S, Gate, Server, chunked, request, until

if TYPE_CHECKING:
    from cloud.bodies.body import Body


def test_requests_that_wait_on_one_connection_are_answered_in_order_the_bad_one_too(
    server: Server, pack: Any
) -> None:
    with server.connect() as connection:
        requests = [request("POST", "/model", pack(frame_id=number), FRAME) for number in range(12)]
        requests[4] = request("POST", "/model", b"no frame", FRAME)
        requests[7] = request("POST", "/model", pack(), {"Content-Type": "text/html"})
        requests[9] = request(
            "POST", "/model", chunked(pack(frame_id=9)), FRAME | {"Transfer-Encoding": "chunked"}
        )
        connection.send(b"".join(requests))
        answers = [connection.answer() for _ in requests]
    answers[4].refused(400, "bad_frame")
    answers[7].refused(415, "media_type")
    for number in (0, 1, 2, 3, 5, 6, 8, 9, 10, 11):
        assert (answers[number].status, answers[number].json["frame_id"]) == (200, number)


def test_a_declared_body_above_the_limit_is_refused_and_its_sender_gets_to_read_that(pack: Any) -> None:
    with Server(max_body_bytes=100_000) as server, server.connect() as other:
        assert other.ask("POST", "/model", pack(), FRAME).status == 200
        with server.connect() as connection:
            answer = connection.ask("POST", "/model", bytes(399_999), FRAME)
            assert answer.refused(413, "too_large")["accepted"] == {"max_bytes": 100_000}
            assert answer.headers["connection"] == "close"
            assert connection.closed_by_server()
        assert other.ask("POST", "/model", pack(), FRAME).status == 200
        until(server.is_empty)


def test_a_chunked_body_above_the_limit_is_refused_as_soon_as_it_is(pack: Any) -> None:
    with Server(max_body_bytes=100_000) as server, server.connect() as other:
        assert other.ask("POST", "/model", pack(), FRAME).status == 200
        with server.connect() as connection:
            head = request("POST", "/model", b"", FRAME | {"Transfer-Encoding": "chunked"})
            connection.send(head + chunked(bytes(60_000), bytes(60_000))[:-5])
            answer = connection.answer()
            assert answer.refused(413, "too_large")["accepted"] == {"max_bytes": 100_000}
            assert answer.headers["connection"] == "close"
            connection.send(chunked(bytes(60_000)))
            assert connection.closed_by_server()
        assert other.ask("POST", "/model", pack(), FRAME).status == 200
        until(server.is_empty)


def test_a_body_far_above_the_limit_is_not_waited_for() -> None:
    with Server(max_body_bytes=100_000) as server:
        for declared in ("400001", "1000000000000", "9" * 40):
            with server.connect() as connection:
                connection.send(request("POST", "/model", b"", FRAME | {"Content-Length": declared}))
                connection.answer().refused(413, "too_large")
                assert connection.closed_by_server(), declared
        assert server.metric("abandoned_total") == 0


def test_a_chunked_body_without_an_end_is_cut_off() -> None:
    with Server(max_body_bytes=100_000) as server, server.connect() as connection:
        connection.send(request("POST", "/model", b"", FRAME | {"Transfer-Encoding": "chunked"}))
        chunk = chunked(bytes(50_000))[:-5]
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            for _ in range(10_000):  # half a gigabyte
                connection.send(chunk)
                assert server.service.buffered_bytes <= 100_000
        until(server.is_empty)
        assert server.metric("rejected_total", reason="too_large") == 1
        assert server.metric("abandoned_total") == 0


@pytest.mark.parametrize("body", [bytes(3_000_000), b""], ids=["large", "empty"])
def test_a_refusal_by_the_header_reaches_a_client_that_is_still_sending(body: bytes) -> None:
    with Server(start=False) as server, server.connect() as connection:
        for _ in range(5):
            connection.ask("POST", "/model", body, FRAME).refused(503, "unavailable")
        assert connection.ask("GET", "/healthz").json == {"state": "starting"}
        assert server.metric("requests_total", endpoint="/model", code="503") == 5
        assert server.metric("abandoned_total") == 0


def test_a_refusal_does_not_wait_for_the_body() -> None:
    with Server(start=False) as server:
        with server.connect() as connection:
            connection.send(request("POST", "/model", b"", FRAME | {"Content-Length": "1000"}))
            connection.answer().refused(503, "unavailable")
            connection.send(bytes(1000))
            assert connection.ask("GET", "/healthz").status == 200
            connection.send(request("POST", "/model", b"", FRAME | {"Content-Length": "1000"}))
            connection.answer().refused(503, "unavailable")
        until(lambda: server.metric("requests_total", endpoint="/model", code="503") == 2)
        assert server.metric("abandoned_total") == 0


def test_a_client_that_asks_before_sending_the_body_is_told(server: Server, pack: Any) -> None:
    data = pack()
    asking = {"Expect": "100-continue", "Content-Length": str(len(data))}
    with server.connect() as connection:
        connection.send(request("POST", "/model", b"", FRAME | asking))
        assert connection.answer().status == 100
        connection.send(data)
        assert connection.answer().status == 200
    with server.connect() as connection:
        connection.send(request("POST", "/model", b"", {"Content-Type": "text/html"} | asking))
        answer = connection.answer()
        answer.refused(415, "media_type")
        assert answer.headers["connection"] == "close"
        assert connection.closed_by_server()


def test_a_client_that_is_too_slow_is_cut_off(pack: Any) -> None:
    with Server(idle_timeout_s=0.75) as server:
        for beginning in (b"", b"POST /mod", b"POST /model HTTP/1.1\r\nContent-Length: 10\r\n"):
            with server.connect() as connection:
                connection.send(beginning)
                assert connection.closed_by_server()
        assert server.frame(pack()).status == 200
    with Server(request_timeout_s=0.05) as server:
        for headers, body in (
            (FRAME | {"Content-Length": "10"}, b"123"),
            (FRAME | {"Transfer-Encoding": "chunked"}, b"3\r\n123\r\n"),
        ):
            with server.connect() as connection:
                connection.send(request("POST", "/model", body, headers))
                assert connection.closed_by_server()
        until(server.is_empty)
        assert server.metric("abandoned_total") == 2
        assert server.ask("GET", "/").status == 200


def test_bytes_that_are_not_http_end_their_connection_only(server: Server) -> None:
    garbage = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(1, 40)) + b"\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /model HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"POST /model HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /model HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /model HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
    ]
    for each in garbage:
        with server.connect() as connection, contextlib.suppress(ConnectionError):
            connection.send(each)
            assert connection._file.read()[:12] in (
                b"",
                b"HTTP/1.1 400",
                b"HTTP/1.1 431",
            ), each[:60]
        assert server.ask("GET", "/").status == 200
        until(server.is_empty)


@pytest.mark.parametrize(
    "headers", [{"Content-Length": "1000"}, {"Transfer-Encoding": "chunked"}], ids=["declared", "chunked"]
)
def test_a_client_that_goes_in_the_middle_of_its_body_leaves_nothing_behind(headers: dict) -> None:
    with Server() as server:
        connection = server.connect()
        connection.send(request("POST", "/model", b"5\r\n12345\r\n", FRAME | headers))
        until(lambda: server.service.lifecycle.frames == 1 and server.service.buffered_bytes > 0)
        # What is there counts, not what was declared: declaring much must not keep others out.
        assert server.service.buffered_bytes == (10 if "Content-Length" in headers else 5)
        connection.close()
        until(server.is_empty)
        assert server.metric("abandoned_total") == 1
        assert (
            sum(server.metric("requests_total", endpoint="/model", code=code) for code in ("200", "400")) == 0
        )


def test_a_client_that_goes_before_its_answer_leaves_nothing_behind(pack: Any) -> None:
    with Server(max_batch=1) as server, Gate(server) as gate:
        running, waiting, staying = (server.connect() for _ in range(3))
        running.send(request("POST", "/model", pack(), FRAME))
        gate.entered()
        waiting.send(request("POST", "/model", pack(), FRAME))
        until(lambda: server.metric("queue_depth") == 1)
        running.close()
        waiting.close()
        until(server.is_empty)
        assert server.metric("queue_depth") == 0
        with staying:
            staying.send(request("POST", "/model", pack(), FRAME))
            until(lambda: server.metric("queue_depth") == 1)
            gate.open()
            assert staying.answer().status == 200
        assert gate.batches == [("flatten", 1)] * 2
        assert server.metric("abandoned_total") == 2
        # Nobody was answered but the one who stayed: an abandoned request is no success.
        until(lambda: server.metric("request_duration_seconds_count", endpoint="/model") > 0)
        assert server.metric("request_duration_seconds_count", endpoint="/model") == 1
        assert server.metric("requests_total", endpoint="/model", code="200") == 1


def test_a_body_whose_client_has_gone_is_not_kept_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """While all threads that decode are busy, and that on which the first frame went alone, a request that waits for one must let go of its body when its client goes."""
    busy, bodies = threading.Event(), []

    def read(_decoder: Any, body: Body, *_others: Any) -> Any:
        bodies.append(body)
        assert busy.wait(WAIT_S)
        raise AssertionError("nobody waits for this")

    monkeypatch.setattr("cloud.bodies.decoder.Decoder.read_frame", read)
    with Server() as server:
        connections = [server.connect() for _ in range(4)]
        for connection in connections:
            connection.send(request("POST", "/model", bytes(1000), FRAME))
        until(lambda: len(bodies) == 3 and server.service.buffered_bytes == 4000)
        assert [len(body.whole()) for body in bodies] == [1000] * 3
        for connection in connections:
            connection.close()
        until(server.is_empty)
        assert [len(body.whole()) for body in bodies] == [0] * 3
        busy.set()
    assert len(bodies) == 3
