"""Clients against each other, with real sockets: what one does costs no other an answer."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import TYPE_CHECKING, Any

from kits.cloud import FRAME, JSON, Gate, Server, request, until

if TYPE_CHECKING:
    import pytest
    from kits.cloud import Connection

GREEDY, HONEST = "127.0.0.7", "127.0.0.8"
PROFILE = "/profiles/" + "a" * 32


def flood(stack: contextlib.ExitStack, server: Server, count: int, source: str = GREEDY) -> list[Connection]:
    return [stack.enter_context(server.connect(source)) for _ in range(count)]


def test_bodies_that_never_end_keep_nobodys_frame_out(pack: Any) -> None:
    data = pack()
    limits = {"max_buffered_bytes": 40_000, "max_body_bytes": 20_000, "client_body_bytes": 1024}
    with Server(**limits) as server, contextlib.ExitStack() as stack:
        held = flood(stack, server, 6)
        for connection in held:
            connection.send(request("POST", "/model", bytes(6000), FRAME | {"Content-Length": "6001"}))
        until(lambda: server.metric("rejected_total", reason="over_quota") == 3)  # 20,000 bytes are its share
        assert server.service.buffered_bytes == 18_000
        for source in ("127.0.0.9", "127.0.0.10"):
            (connection,) = flood(stack, server, 1, source)
            connection.send(request("POST", "/model", bytes(11_000), FRAME | {"Content-Length": "11001"}))
        until(lambda: server.service.buffered_bytes >= 28_000)
        honest = server.connect(HONEST)
        with honest:
            for _ in range(5):
                assert honest.ask("POST", "/model", data, FRAME).status == 200
        assert server.service.buffered_bytes <= 40_000
    assert server.is_empty()


def test_bodies_that_are_no_frames_leave_a_quarter_for_frames(pack: Any) -> None:
    with Server(max_buffered_bytes=40_000, max_body_bytes=36_000) as server, contextlib.ExitStack() as stack:
        for connection in flood(stack, server, 5):
            connection.send(request("PUT", PROFILE, bytes(6900), {"Content-Length": "7000"}))
        until(lambda: server.metric("rejected_total", reason="queue_full") == 1)
        assert server.service.buffered_bytes <= 30_000
        assert server.frame(pack()).status == 200
        for connection in flood(stack, server, 5):
            connection.send(request("POST", "/model", bytes(700), JSON | {"Content-Length": "7000"}))
        assert server.frame(pack()).status == 200


def test_a_body_that_stops_is_refused_and_its_connection_ends(
    monkeypatch: pytest.MonkeyPatch, pack: Any
) -> None:
    monkeypatch.setattr("cloud.access.budget.PATIENCE_S", 0.2)
    with Server() as server, server.connect() as stuck, server.connect() as other:
        stuck.send(request("POST", "/model", bytes(1000), FRAME | {"Content-Length": "2000"}))
        answer = stuck.answer()
        assert (answer.status, answer.json["reason"]) == (408, "slow_body")
        assert stuck.closed_by_server()
        assert other.ask("POST", "/model", pack(), FRAME).status == 200
        until(server.is_empty)
        account = server.service.clients.account("127.0.0.1")
        assert (account.frames, account.body_bytes) == (0, 0)
        assert server.metric("abandoned_total") == 0
        assert server.metric("requests_total", endpoint="/model", code="408") == 1


def test_frames_above_a_clients_share_are_refused_whatever_they_name(pack: Any) -> None:
    with (
        Server(client_frames=3, max_batch=1) as server,
        Gate(server) as gate,
        contextlib.ExitStack() as stack,
    ):
        many = flood(stack, server, 3)
        for number, connection in enumerate(many):
            connection.send(request("POST", "/model", pack(frame_id=number << 32), FRAME))
        until(lambda: server.service.clients.account(GREEDY).frames == 3)
        (one_more,) = flood(stack, server, 1)
        refused = one_more.ask("POST", "/model", pack(frame_id=77 << 32), FRAME)
        assert (refused.status, refused.json["reason"]) == (429, "over_quota")
        assert (refused.headers["retry-after"], refused.json["accepted"]) == ("1", {"frames_in_flight": 3})
        (honest,) = flood(stack, server, 1, HONEST)
        honest.send(request("POST", "/model", pack(), FRAME))
        until(lambda: server.service.clients.account(HONEST).frames == 1)
        gate.open()
        assert honest.answer().status == 200
        assert [connection.answer().status for connection in many] == [200] * 3
        assert one_more.ask("POST", "/model", pack(), FRAME).status == 200
        until(server.is_empty)
        assert server.service.clients.account(GREEDY).frames == 0


def test_computing_is_charged_to_who_asked_for_it(pack: Any) -> None:
    with Server() as server, server.connect(GREEDY) as greedy, server.connect(HONEST) as honest:
        assert greedy.ask("POST", "/model", pack(), FRAME).status == 200
        before = server.service.clients.account(GREEDY).compute_s
        assert before > 0
        assert (
            greedy.ask("POST", "/model", pack()[:-1] + b"\0", FRAME).status == 400
        )  # what is refused costs as well
        until(lambda: server.service.clients.account(GREEDY).compute_s > before)
        assert server.service.clients.account(HONEST).compute_s == 0
        body = json.dumps({"data": [[0.5] * 512] * 40, "split_point": "flatten"}).encode()
        assert len(body) > 64 << 10
        assert honest.ask("POST", "/model", body, JSON).status == 200
        assert server.service.clients.account(HONEST).compute_s > 0


def test_who_used_its_share_of_computing_is_told_when_to_come_back(pack: Any) -> None:
    with Server(client_compute=0.001) as server, server.connect(GREEDY) as greedy, server.connect() as other:
        server.service.clients.account(GREEDY).spend(0.02)
        refused = greedy.ask("POST", "/model", pack(), FRAME)
        assert (refused.status, refused.json["reason"]) == (429, "over_quota")
        assert 5 <= int(refused.headers["retry-after"]) <= 10
        assert other.ask("POST", "/model", pack(), FRAME).status == 200


def test_behind_a_trusted_proxy_clients_are_told_apart_and_elsewhere_headers_mean_nothing(pack: Any) -> None:
    forwarded = FRAME | {"X-Forwarded-For": "192.0.2.1, 192.0.2.55"}
    with Server(trusted_proxies=GREEDY) as server:
        for source in (GREEDY, HONEST):
            with server.connect(source) as connection:
                assert connection.ask("POST", "/model", pack(), forwarded).status == 200
        assert list(server.service.clients._accounts) == ["192.0.2.55", HONEST]


def test_no_deadline_is_longer_than_the_servers(pack: Any) -> None:
    with Server(request_timeout_s=0.5) as server, Gate(server):
        server.frame(pack(deadline_ms=2**32 - 1)).refused(504, "deadline")
        until(server.is_empty)


def test_a_frame_whose_sender_has_closed_his_side_is_answered(pack: Any) -> None:
    with Server() as server, Gate(server) as gate, server.connect() as connection:
        connection.send(request("POST", "/model", pack(frame_id=5), FRAME))
        connection.socket.shutdown(socket.SHUT_WR)
        gate.entered()
        assert connection.answer().status == 100
        gate.open()
        assert connection.answer().json["frame_id"] == 5
        assert connection.closed_by_server()
        assert server.metric("abandoned_total") == 0


def test_idle_connections_of_one_client_keep_nobody_out(pack: Any) -> None:
    with Server(client_connections=8, max_connections=16) as server, contextlib.ExitStack() as stack:
        (honest,) = flood(stack, server, 1, HONEST)
        assert honest.ask("POST", "/model", pack(), FRAME).status == 200
        for number in range(40):
            flood(stack, server, 1, f"127.0.1.{number % 4}")
        until(lambda: server.metric("connections_closed_total", why="displaced") >= 20)
        assert len(server.service.crowd) <= 16
        assert honest.ask("POST", "/model", pack(), FRAME).status == 200
        with server.connect("127.0.0.20") as newcomer:
            assert newcomer.ask("POST", "/model", pack(), FRAME).status == 200


def test_a_long_header_is_counted(server: Server) -> None:
    before = server.metric("rejected_total", reason="header_too_large")
    assert server.ask("GET", "/", b"", Filler="x" * 17_000).status == 431
    assert server.metric("rejected_total", reason="header_too_large") == before + 1


def test_answers_that_nobody_reads_are_given_up(expect_log: pytest.LogCaptureFixture) -> None:
    with Server(write_timeout_s=0.1) as server:
        connection = server.connect()
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        body = json.dumps({"data": [[0.5] * 512] * 40, "split_point": "flatten"}).encode()
        connection.socket.settimeout(0.5)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while not server.metric("connections_closed_total", why="unread"):
                connection.send(request("POST", "/model", body, JSON))
        until(lambda: server.metric("connections_closed_total", why="unread") == 1)
        assert server.ask("GET", "/healthz").status == 200
        connection.close()
        until(server.is_empty)
    assert sum("does not read" in record.getMessage() for record in expect_log.records) == 1


def test_refusals_are_counted_and_not_all_of_them_logged(caplog: pytest.LogCaptureFixture, pack: Any) -> None:
    caplog.set_level("INFO")
    with Server() as server, server.connect() as connection:
        for _ in range(200):
            connection.ask("POST", "/model", b"no frame", FRAME).refused(400, "bad_frame")
        assert server.metric("rejected_total", reason="bad_frame") == 200
        assert connection.ask("POST", "/model", pack(), FRAME).status == 200
    lines = [record for record in caplog.records if "refused with" in record.getMessage()]
    assert 10 <= len(lines) < 80
