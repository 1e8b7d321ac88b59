"""Tokens come and go while frames flow: none is lost, and none is answered for a token that is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kits.cloud import FRAME, Server, until
from kits.followed import followed
from kits.tokens import Tokens, bearing, taken

from shared.security.rights import Right

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(tmp_path / "tokens", ["frames"])


def test_one_token_replaces_another_without_a_lost_frame(
    tokens: Tokens, pack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.security.tokens.file.LOOK_S", 0.0)
    old = tokens.of["frames"]
    with Server(token_file=str(tokens.path)) as server, server.connect() as connection:

        def posted(token: str) -> int:
            return connection.ask("POST", "/model", pack(), FRAME | bearing(token)).status

        assert posted(old) == 200
        new = tokens.add("frames", Right.FRAMES)
        until(lambda: server.metric("tokens") == 2)
        assert [posted(token) for token in (old, new, old, new)] == [200] * 4
        tokens.remove(old)
        until(lambda: server.metric("tokens") == 1)
        assert [posted(token) for token in (new, old, new)] == [200, 401, 200], "on the same connection"


def test_a_file_that_is_spoiled_shuts_nobody_out(
    tokens: Tokens, pack: Any, monkeypatch: pytest.MonkeyPatch, expect_log: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("shared.security.tokens.file.LOOK_S", 0.0)
    with Server(token_file=str(tokens.path)) as server:
        tokens.path.write_text("frames all\n")
        until(lambda: server.metric("token_file_errors_total") == 1)
        assert "stay in force" in expect_log.text
        assert server.ask("POST", "/model", pack(), **FRAME, **bearing(tokens.of["frames"])).status == 200


def test_an_expired_token_is_refused_from_that_second_on(tokens: Tokens, pack: Any) -> None:
    token = tokens.add("short", Right.FRAMES, expires=1_800_000_000.0)
    with Server(token_file=str(tokens.path)) as server, server.connect() as connection:
        for now, status in ((1_799_999_999.0, 200), (1_800_000_000.0, 401)):
            server.service.door.gate._clock = lambda now=now: now  # type: ignore[misc]
            answer = connection.ask("POST", "/model", pack(), FRAME | bearing(token))
            assert answer.status == status, now
        assert "has expired (2027-01-15T08:00:00Z)" in answer.json["error"]


def test_a_transfer_of_a_network_ends_when_its_token_goes(
    tmp_path: Path, expect_log: pytest.LogCaptureFixture
) -> None:
    tokens = Tokens(tmp_path / "tokens", ["bundles"])
    headers = bearing(tokens.of["bundles"])
    fingerprint = b"old....."
    options = {
        "bundle": {"network.bin": bytes(1 << 20)},
        "serve_bundle": True,
        "token_file": str(tokens.path),
    }
    with followed(tmp_path / "bundle", fingerprint, **options) as server:
        path = f"/bundle/{fingerprint.hex()}/network.bin"
        assert len(server.ask("GET", path, **headers).body) == 1 << 20
        gate, still = server.service.door.gate, server.service.door.gate.still
        asked: list[bool] = []

        def losing(caller: Any) -> bool:
            asked.append(still(caller))
            if len(asked) == 1:
                tokens.remove(tokens.of["bundles"])
                assert taken(server.service.door._file)  # type: ignore[arg-type]
            return asked[-1]

        gate.still = losing  # type: ignore[method-assign]
        assert len(server.ask("GET", path, **headers).body) < 1 << 20
        assert asked == [True, False]
        until(lambda: server.metric("bundle_transfers_total", result="failed") == 1)
    assert "no longer in force" in expect_log.text


def test_a_client_is_its_token_s_name_whichever_token_it_shows_and_else_its_address(
    tokens: Tokens, pack: Any
) -> None:
    both = tokens.of["frames"], tokens.add("frames", Right.FRAMES)
    with Server(token_file=str(tokens.path)) as server:
        for token in both:
            answer = server.ask(
                "POST", "/model", pack(), **FRAME, **bearing(token), **{"X-Forwarded-For": "192.0.2.9"}
            )
            assert answer.status == 200
        assert list(server.service.clients._accounts) == ["frames"]
    with Server(token_file=str(tokens.path), anonymous="frames") as server:
        assert server.frame(pack()).status == 200
        assert server.ask("POST", "/model", pack(), **FRAME, **bearing(both[0])).status == 200
        assert list(server.service.clients._accounts) == ["127.0.0.1", "frames"]
