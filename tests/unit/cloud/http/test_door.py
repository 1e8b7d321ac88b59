"""Who comes in: each endpoint, with each right, without one, and with what is none."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import pytest
from kits.cloud import FRAME, JSON, Server, request, until
from kits.tokens import Tokens, bearing

from cloud.access.door import Door
from cloud.config import CloudSettings
from cloud.http.app import make_app, require_needs
from cloud.http.base import Handler
from cloud.metrics import CloudMetrics
from shared.errors import SettingsError
from shared.limits import MAX_STRANGERS_BODY_BYTES
from shared.security.rights import Right
from shared.security.tokens.keyring import new_token
from shared.wire.server.rate import Rate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ASKING = {"frames", "json", "profiles", "bundles", "page"}
EVERYBODY = set(Right) | {None}
WHO_MAY: list[tuple[str, str, dict[str, str], set[Any]]] = [
    ("GET", "/", {}, EVERYBODY),
    ("HEAD", "/", {}, EVERYBODY),
    ("GET", "/healthz", {}, EVERYBODY),
    ("GET", "/readyz", {}, EVERYBODY),
    ("GET", "/login", {}, EVERYBODY),
    ("GET", "/openapi.yaml", {}, EVERYBODY),
    ("GET", "/nowhere", {}, EVERYBODY),
    ("POST", "/compute", JSON, {"json"}),
    ("GET", "/compute", {}, {"json"}),
    ("GET", "/model", {}, ASKING),
    ("HEAD", "/model", {}, ASKING),
    ("DELETE", "/model", {}, ASKING),
    ("POST", "/model", FRAME, {"frames"}),
    ("POST", "/model", {"Content-Type": "image/jpeg"}, {"frames"}),
    ("POST", "/model", {"Content-Type": "multipart/form-data"}, {"frames"}),
    ("POST", "/model", JSON, {"json"}),
    ("POST", "/model", {}, {"json"}),
    ("GET", "/tail-times", {}, {"frames"}),
    ("GET", "/profile", {}, {"frames"}),
    ("GET", "/profiles", {}, {"profiles"}),
    ("GET", f"/profiles/{'0' * 32}", {}, {"profiles"}),
    ("PUT", f"/profiles/{'0' * 32}", {}, {"profiles"}),
    ("GET", f"/profiles/{'0' * 32}/file", {}, {"profiles"}),
    ("GET", f"/bundle/{'0' * 16}", {}, {"bundles"}),
    ("GET", f"/bundle/{'0' * 16}/network.bin", {}, {"bundles"}),
    ("GET", "/metrics", {}, {"metrics"}),
    ("GET", "/page", {}, {"page"}),
    ("GET", "/page/events", {}, {"page"}),
    ("GET", "/events", {}, {"page"}),
    ("GET", "/session", {}, set(Right)),
    ("GET", "/v2", {}, ASKING),
    ("GET", "/v2/", {}, ASKING),
    ("GET", "/v2/health/live", {}, EVERYBODY),
    ("GET", "/v2/health/ready", {}, EVERYBODY),
    ("GET", "/v2/models/any", {}, ASKING),
    ("GET", "/v2/models/any/versions/1", {}, ASKING),
    ("GET", "/v2/models/any/ready", {}, ASKING),
    ("GET", "/v2/models/any/infer", {}, {"json"}),
    ("POST", "/v2/models/any/infer", {"Inference-Header-Content-Length": "0"}, {"frames"}),
    ("POST", "/v2/models/any/infer", {}, {"json"}),
    ("GET", "/v2/anything", {}, EVERYBODY),
]


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    return Tokens(tmp_path_factory.mktemp("tokens") / "tokens")


@pytest.fixture(scope="module")
def guarded(_loaded: None, tokens: Tokens) -> Iterator[Server]:
    with Server(token_file=str(tokens.path)) as running:
        yield running


def test_each_endpoint_takes_its_own_rights_and_no_other(guarded: Server, tokens: Tokens) -> None:
    for method, path, headers, may in WHO_MAY:
        for right in (None, *Right):
            what = f"{method} {path} {headers} with {right}"
            shown = headers | (bearing(tokens.of[right]) if right else {})
            answer = guarded.ask(method, path, b"", **shown)
            assert (answer.status not in (401, 403) or b"bundle_not_served" in answer.body) == (
                right in may
            ), what
            if right in may or method == "HEAD":
                continue
            said = answer.refused(*((403, "forbidden") if right else (401, "unauthenticated")))
            assert ("www-authenticate" in answer.headers) == (right is None), what
            for token in tokens.of.values():
                assert token not in str(said), what
    until(guarded.is_empty)


def test_every_endpoint_is_in_the_table() -> None:
    class Service:
        cloud = "0" * 16

    app = make_app(Service())  # type: ignore[arg-type]
    rules = [rule for outer in app.default_router.rules for rule in getattr(outer.target, "rules", [])]
    paths = {rule.matcher.regex.pattern for rule in rules if hasattr(rule, "matcher")}
    asked = {path for _, path, _, _ in WHO_MAY} | {"/logout"}
    for path in paths:
        assert any(re.fullmatch(path, each) for each in asked), path
    assert len(paths) >= 14


def test_an_endpoint_that_does_not_say_who_may_use_it_does_not_start() -> None:
    class Silent(Handler):
        pass

    with pytest.raises(TypeError, match=r"Silent.*has no `needs`"):
        require_needs([Silent])


def test_what_is_no_token_is_refused_whatever_it_is(guarded: Server, tokens: Tokens) -> None:
    token = tokens.of["frames"]
    for text in (
        "",
        "Bearer",
        f"Basic {token}",
        f"Bearer {token}x",
        token,
        f"Bearer {new_token()}",
        "Bearer " + "x" * 9000,
    ):
        answer = guarded.ask("GET", "/tail-times", Authorization=text)
        answer.refused(401, "unauthenticated")
        assert answer.headers["www-authenticate"] == 'Bearer realm="splitdnn"', text
    with guarded.connect() as connection:
        twice = request("GET", "/tail-times", b"", bearing(token)).replace(
            b"\r\n\r\n", f"\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        connection.send(twice)
        connection.answer().refused(401, "unauthenticated")


def test_a_wrong_token_changes_nothing_where_all_is_open(guarded: Server) -> None:
    for path in ("/healthz", "/readyz", "/"):
        assert guarded.ask("GET", path, Authorization="Bearer wrong").status == 200, path


def test_a_stranger_s_frame_costs_no_memory_and_its_connection_lives(
    guarded: Server, tokens: Tokens, pack: Any
) -> None:
    """Its sender reads why, as a reset would hide it; frames by the same connection are then answered."""
    reserved = []
    frame = pack() + b"\0" * 500_000
    assert len(frame) < MAX_STRANGERS_BODY_BYTES
    with pytest.MonkeyPatch.context() as patch, guarded.connect() as connection:
        patch.setattr("cloud.http.body.BodyHandler._reserve", lambda _, size: reserved.append(size))
        connection.ask("POST", "/model", frame, FRAME).refused(401, "unauthenticated")
        assert reserved == []
    with guarded.connect() as connection:
        connection.ask("POST", "/model", frame, FRAME).refused(401, "unauthenticated")
        answer = connection.ask("POST", "/model", pack(), FRAME | bearing(tokens.of["frames"]))
        assert answer.status == 200
    until(guarded.is_empty)


def test_a_stranger_s_large_body_is_not_even_read(guarded: Server) -> None:
    with guarded.connect() as connection:
        head = request("POST", "/model", b"", FRAME | {"Content-Length": str(MAX_STRANGERS_BODY_BYTES + 1)})
        connection.send(head)
        answer = connection.answer()
        answer.refused(401, "unauthenticated")
        assert answer.headers["connection"] == "close"
        assert connection.closed_by_server()


def test_a_stranger_writes_nothing_into_the_ledger(tmp_path: Path, tokens: Tokens, pack: Any) -> None:
    ledger = tmp_path / "ledger"
    with Server(token_file=str(tokens.path), ledger=str(ledger)) as running:
        for _ in range(3):
            running.frame(pack()).refused(401, "unauthenticated")
        running.ask("POST", "/model", b"x", **FRAME, **bearing(tokens.of["metrics"])).refused(
            403, "forbidden"
        )
        assert ledger.read_text() == ""
        assert running.ask("POST", "/model", pack(), **FRAME, **bearing(tokens.of["frames"])).status == 200
        until(lambda: '"answered"' in ledger.read_text())


def test_without_tokens_the_cloud_is_open_on_this_machine_and_starts_nowhere_else(server: Server) -> None:
    assert server.ask("GET", "/model").status == 200
    assert server.ask("GET", "/metrics").status == 200
    with Server(anonymous="metrics") as some:
        assert some.ask("GET", "/metrics").status == 200
        some.ask("GET", "/model").refused(401, "unauthenticated")
    for address in ("0.0.0.0", "", "10.0.0.2"):
        with pytest.raises(SettingsError, match="--anonymous all"):
            Door(CloudSettings(address=address), CloudMetrics())


def test_tokens_that_cross_a_network_unencrypted_are_warned_of_once(
    tokens: Tokens, tmp_path: Path, expect_log: pytest.LogCaptureFixture
) -> None:
    certificate = tmp_path / "tls.crt"  # as far as the door is concerned
    cases = [
        ({"address": "0.0.0.0"}, 1),
        ({"address": "127.0.0.1"}, 0),
        ({"address": "0.0.0.0", "certificate": str(certificate)}, 0),
        ({"address": "0.0.0.0", "trusted_proxies": "10.0.0.7"}, 0),
    ]
    for settings, count in cases:
        expect_log.clear()
        Door(CloudSettings(token_file=str(tokens.path), **settings), CloudMetrics())
        warnings = [each for each in expect_log.records if each.levelno >= logging.WARNING]
        assert len(warnings) == count, settings
        assert all("unencrypted; give --certificate" in each.getMessage() for each in warnings)


def test_refusals_are_counted_and_logged_without_the_token(
    guarded: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The tests before this one may have used up its lines.
    monkeypatch.setattr(guarded.service, "refusal_lines", Rate(1, 1))
    before = guarded.metric("rejected_total", reason="unauthenticated")
    secret = new_token()
    guarded.service.refusal_lines = Rate(1, 0)  # the tests before this one have used up its lines
    with caplog.at_level("DEBUG"):
        guarded.ask("GET", "/model", Authorization=f"Bearer {secret}").refused(401, "unauthenticated")
        until(lambda: "unauthenticated" in caplog.text)
    assert guarded.metric("rejected_total", reason="unauthenticated") == before + 1
    assert secret not in caplog.text
    assert guarded.metric("tokens") == len(Right)
