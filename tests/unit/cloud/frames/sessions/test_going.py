"""Who may open a session, and when an edge is told to open another."""

from __future__ import annotations

import socket
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from kits.certificates import Certificates
from kits.cloud import Server, until
from kits.session_client import Talk, metric, resuming, upgrade
from kits.tokens import Tokens, bearing, taken

from cloud.frames.sessions.session import GRACE_S
from shared.security.rights import Right
from shared.security.tls.context import TLSFiles, client_context
from shared.wire.session.messages import Answered, GoAway

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def cloud() -> Iterator[Server]:
    with Server() as server:
        yield server


def _later(server: Server, patch: pytest.MonkeyPatch, seconds: float) -> None:
    registry = server.service.sessions
    patch.setattr(registry, "_clock", lambda clock=registry._clock: clock() + seconds)


def test_a_session_needs_what_a_frame_needs(tmp_path: Path, pack: Any) -> None:
    tokens = Tokens(tmp_path / "tokens")
    with Server(token_file=str(tokens.path)) as server:
        for right in Right:
            with Talk(server, greet=False, **bearing(tokens.of[right])) as talk:
                assert talk.status == (101 if right is Right.FRAMES else 403), right
        with Talk(server, greet=False) as talk:
            assert talk.status == 401
            assert talk.headers["www-authenticate"].startswith("Bearer")
        with Talk(server, greet=False, **bearing("sdn_wrong")) as talk:
            assert talk.status == 401
        token = tokens.add("gate", Right.FRAMES)
        assert taken(server.service.door._file)  # type: ignore[arg-type]
        with Talk(server, **bearing(token)) as talk:
            assert isinstance(talk.ask(pack()), Answered)
            assert server.metric("client_requests_total", client="gate", outcome="answered") == 2
            tokens.remove(token)
            assert taken(server.service.door._file)  # type: ignore[arg-type]
            assert talk.ends() == (1008, "the token is over")
        assert metric(server, "connections_closed_total", why="access") == 1
        assert server.metric("sessions") == 0


def test_no_page_of_a_browser_opens_a_session(server: Server) -> None:
    for fields in (
        {"Origin": "http://cloud"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-origin"},
    ):
        with Talk(server, greet=False, **fields) as talk:
            assert talk.status == 403, fields


def test_what_is_no_request_for_a_session_is_refused(server: Server) -> None:
    for fields, status in (
        ({"Sec_WebSocket_Protocol": None}, 400),
        ({"Sec_WebSocket_Protocol": "splitdnn.session.9"}, 400),
        ({"Sec_WebSocket_Key": None}, 400),
        ({"Connection": "keep-alive"}, 400),
        ({"Sec_WebSocket_Version": "8"}, 426),
    ):
        with Talk(server, greet=False, **fields) as talk:
            assert talk.status == status, fields
    assert server.service.sessions._connections.total() == 0
    with server.connect() as connection:
        connection.send(upgrade().replace(b"GET", b"POST", 1))
        assert connection.answer().status == HTTPStatus.METHOD_NOT_ALLOWED


def test_compression_is_not_agreed_to(server: Server) -> None:
    with Talk(server, Sec_WebSocket_Extensions="permessage-deflate") as talk:
        assert "sec-websocket-extensions" not in talk.headers


def test_an_old_session_moves_without_losing_a_frame(pack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(session_age_s=0.1) as server, Talk(server) as talk:
        assert talk.read() == GoAway("rebalance")
        assert isinstance(talk.ask(pack()), Answered)  # sent before the edge knew
        _later(server, monkeypatch, GRACE_S + 1)
        assert talk.ends() == (1000, "over")
        assert metric(server, "go_aways_total", reason="rebalance") == 1


def test_an_idle_session_ends(cloud: Server, pack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with Talk(cloud) as talk:
        assert isinstance(talk.ask(pack()), Answered)
        _later(cloud, monkeypatch, cloud.service.settings.idle_timeout_s)
        assert talk.read() == GoAway("idle")
        assert talk.ends() == (1000, "idle")
    assert metric(cloud, "go_aways_total", reason="idle") == 1
    assert cloud.metric("sessions") == 0


def test_another_network_moves_the_sessions(cloud: Server) -> None:
    """A binary answer does not say which network is current."""
    with Talk(cloud) as talk:
        cloud.loop.call_soon_threadsafe(cloud.service._networks_changed)
        assert talk.read() == GoAway("rebalance")


def test_a_session_s_connection_counts_as_one_until_it_ends(cloud: Server) -> None:
    before = cloud.metric("connections")
    with Talk(cloud):
        assert cloud.metric("connections") == before + 1
    until(lambda: cloud.metric("connections") == before)


def test_answers_that_nobody_reads_end_the_connection_not_the_session(
    cloud: Server, pack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.frames.sessions.socket.MAX_UNREAD_BYTES", -1)
    with Talk(cloud) as talk:
        talk.frame(pack())
        talk.ends()
    until(lambda: metric(cloud, "connections_closed_total", why="unread") == 1)
    assert cloud.metric("sessions") == 1


def test_an_edge_that_is_not_there_any_more_is_noticed(
    cloud: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.frames.sessions.socket.PING_S", 0.1)
    monkeypatch.setattr("cloud.frames.sessions.socket.PONG_S", 0.05)
    with Talk(cloud) as talk:  # which answers no ping
        talk.ends()
    until(lambda: metric(cloud, "connections_closed_total", why="gone") == 1)
    assert cloud.metric("sessions") == 1


def test_the_end_of_what_an_edge_sends_is_the_end_of_its_connection(cloud: Server, pack: Any) -> None:
    """A request goes on then: its client may still read its answer, and is asked by a line of HTTP whether it does."""
    with Talk(cloud) as talk:
        assert isinstance(talk.ask(pack()), Answered)
        talk.connection.socket.shutdown(socket.SHUT_WR)
        assert talk._file.read() == b""
    until(lambda: cloud.metric("connections") == 0)


def test_over_tls_a_session_is_that_of_the_certificate(tmp_path: Path, pack: Any) -> None:
    made = Certificates.at(tmp_path)
    edge, stranger = (
        client_context(each) for each in (made.files("edge"), TLSFiles(authority=made.path("edge", "ca.crt")))
    )
    with Server(**made.cloud(mutual=True)) as server:
        with Talk(server, greet=False, tls=stranger) as talk:
            assert talk.status == 401
        with Talk(server, tls=edge) as talk:
            for number in range(3):
                assert isinstance(talk.ask(pack(frame_id=number)), Answered)
            label = "certificate:edge"
            assert server.metric("client_requests_total", client=label, outcome="answered") == 4
            talk.break_off()
            until(lambda: any(each.broken_s for each in server.service.sessions._sessions.values()))
            with Talk(server, hello=resuming(talk), tls=edge, source="127.0.0.4") as again:
                assert again.welcome
                assert again.welcome.resumed


def _on_the_loop(server: Server, function: Callable[[], object]) -> None:
    server.loop.call_soon_threadsafe(function)
    server.turned()


def test_an_edge_that_was_quiet_has_the_grace_too(
    cloud: Server, pack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Talk(cloud) as talk:
        _later(cloud, monkeypatch, 20)
        _on_the_loop(cloud, cloud.service._networks_changed)
        assert talk.read() == GoAway("rebalance")
        _on_the_loop(cloud, lambda: cloud.service.sessions.tend(()))
        assert isinstance(talk.ask(pack()), Answered)
        _later(cloud, monkeypatch, GRACE_S + 1)
        assert talk.ends() == (1000, "over")


def test_an_edge_that_was_away_is_told_when_it_comes_back(cloud: Server) -> None:
    with Talk(cloud) as talk:
        pass
    until(lambda: any(each.broken_s is not None for each in cloud.service.sessions._sessions.values()))
    _on_the_loop(cloud, cloud.service._networks_changed)
    with Talk(cloud, hello=resuming(talk)) as again:
        assert again.read() == GoAway("rebalance")
        with Talk(cloud, hello=resuming(talk)) as last:
            assert again.read() == GoAway("replaced")
            assert last.read() == GoAway("rebalance")
    assert metric(cloud, "go_aways_total", reason="rebalance") == 1
