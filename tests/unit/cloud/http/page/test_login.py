"""A browser logs in with a token, and has a session from then on."""

from __future__ import annotations

import re
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from kits.cloud import FRAME, JSON, Server
from kits.tokens import Tokens, bearing, taken
from tornado.httputil import HTTPServerRequest

from shared.security.rights import Right
from shared.security.tokens.keyring import new_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kits.cloud import Response

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    made = Tokens(tmp_path_factory.mktemp("tokens") / "tokens")
    made.of["person"] = made.add("person", Right.PAGE, Right.JSON)
    return made


@pytest.fixture(scope="module")
def guarded(_loaded: None, tokens: Tokens) -> Iterator[Server]:
    with Server(token_file=str(tokens.path)) as running:
        yield running


def login(server: Server, token: str, **headers: str) -> Response:
    return server.ask("POST", "/login", urlencode({"token": token}).encode(), **FORM, **headers)


def cookie_of(answer: Response) -> dict[str, str]:
    (morsel,) = SimpleCookie(answer.headers["set-cookie"]).values()
    return {"Cookie": f"{morsel.key}={morsel.value}"}


@pytest.fixture
def cookie(guarded: Server, tokens: Tokens) -> dict[str, str]:
    return cookie_of(login(guarded, tokens.of["person"]))


def form_key(server: Server, cookie: dict[str, str]) -> str:
    key = server.ask("GET", "/session", **cookie).json["form_key"]
    assert isinstance(key, str)
    return key


def test_the_cookie_is_for_this_site_alone_and_no_script_reads_it(guarded: Server, tokens: Tokens) -> None:
    answer = login(guarded, tokens.of["person"])
    assert (answer.status, answer.headers["location"]) == (303, "/login")
    (morsel,) = SimpleCookie(answer.headers["set-cookie"]).values()
    assert (morsel.key, morsel["httponly"], morsel["samesite"], morsel["path"]) == (
        "splitdnn_session",
        True,
        "Strict",
        "/",
    )
    assert morsel["secure"] == "", "this server speaks no TLS"
    assert tokens.of["person"] not in str(answer)
    assert answer.headers["cache-control"] == "no-store"


def test_a_session_is_who_its_token_is(guarded: Server, cookie: dict[str, str]) -> None:
    said = guarded.ask("GET", "/session", **cookie).json
    assert (said["name"], said["rights"]) == ("person", ["json", "page"])
    assert guarded.ask("GET", "/model", **cookie).status == 200
    guarded.ask("GET", "/metrics", **cookie).refused(403, "forbidden")
    guarded.ask("GET", "/model", Cookie="splitdnn_session=wrong").refused(401, "unauthenticated")


def test_the_page_shows_a_form_or_who_is_there(
    guarded: Server, cookie: dict[str, str], tokens: Tokens
) -> None:
    for headers in (
        {},
        {"Cookie": "splitdnn_session=wrong"},
        {"Authorization": "Bearer wrong"},
        bearing(tokens.of["page"]),
    ):
        page = guarded.ask("GET", "/login", **headers)
        assert page.status == 200
        assert b'action="/login"' in page.body, headers
    page = guarded.ask("GET", "/login", **cookie)
    assert b"Logged in as person" in page.body
    assert re.search(rb'name="form_key" value="([\w-]+)"', page.body)[1].decode() == form_key(guarded, cookie)  # type: ignore[index]
    for name, said in [
        ("content-security-policy", "default-src 'none'"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ]:
        assert said in page.headers[name], name


def test_a_request_that_changes_something_brings_the_page_s_key(
    guarded: Server, cookie: dict[str, str]
) -> None:
    key = form_key(guarded, cookie)
    body = b'{"number": 3}'
    for headers in (
        {},
        {"X-Form-Key": "wrong"},
        {"X-Form-Key": key, "Sec-Fetch-Site": "cross-site"},
        {"X-Form-Key": key, "Sec-Fetch-Site": "same-site"},
        {"X-Form-Key": key, "Origin": "http://evil.example"},
        {"X-Form-Key": key, "Origin": "null"},
        {"X-Form-Key": key, "Origin": "http://[bad"},
    ):
        guarded.ask("POST", "/compute", body, **JSON, **cookie, **headers).refused(403, "forbidden")
    for headers in ({}, {"Origin": "http://cloud", "Sec-Fetch-Site": "same-origin"}):
        answer = guarded.ask("POST", "/compute", body, **JSON, **cookie, **headers, **{"X-Form-Key": key})
        assert (answer.status, answer.json) == (200, {"result": 9}), headers


def test_a_session_posts_frames_only_if_its_token_may(
    guarded: Server, cookie: dict[str, str], pack: Any
) -> None:
    headers = {**FRAME, **cookie, "X-Form-Key": form_key(guarded, cookie)}
    guarded.ask("POST", "/model", pack(), **headers).refused(403, "forbidden")


def test_nobody_is_logged_in_from_another_site(guarded: Server, tokens: Tokens) -> None:
    """Or a page could have somebody use its author's session unknowingly."""
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = login(guarded, tokens.of["person"], **headers)
        answer.refused(403, "forbidden")
        assert "set-cookie" not in answer.headers


def test_what_does_not_log_in(guarded: Server, tokens: Tokens) -> None:
    before = guarded.metric("logins_total", result="refused")
    wrong = new_token()
    answer = login(guarded, wrong)
    assert wrong not in str(answer.refused(401, "unauthenticated"))
    for body in (
        b"",
        b"token=",
        b"token=a&token=b",
        b"other=1",
        b"\xff",
        b"&".join([b"a=1"] * 9),
        b'{"token": 1}',
    ):
        answer = guarded.ask("POST", "/login", body, **FORM)
        assert answer.status == 400, body
        assert "set-cookie" not in answer.headers
    guarded.ask("POST", "/login", b"token=" + b"x" * 5000, **FORM).refused(413, "too_large")
    expired = tokens.add("late", Right.PAGE, expires=1.0)
    taken(guarded.service.door._file)  # type: ignore[arg-type]
    login(guarded, expired).refused(401, "unauthenticated")
    assert guarded.metric("logins_total", result="refused") == before + 9


def test_logging_out_ends_it_for_whoever_has_the_cookie(guarded: Server, cookie: dict[str, str]) -> None:
    for body in (b"", b"form_key=wrong"):
        assert guarded.ask("POST", "/logout", body, **FORM, **cookie).status in (400, 403), body
    assert guarded.ask("GET", "/session", **cookie).status == 200
    body = urlencode({"form_key": form_key(guarded, cookie)}).encode()
    answer = guarded.ask("POST", "/logout", body, **FORM, **cookie)
    assert answer.status == 303
    assert SimpleCookie(answer.headers["set-cookie"])["splitdnn_session"].value == ""
    guarded.ask("GET", "/session", **cookie).refused(401, "unauthenticated")


def test_a_token_that_is_taken_away_takes_its_sessions_with_it(guarded: Server, tokens: Tokens) -> None:
    token = tokens.add("guest", Right.PAGE)
    door = guarded.service.door
    assert taken(door._file)  # type: ignore[arg-type]
    cookie = cookie_of(login(guarded, token))
    assert guarded.ask("GET", "/session", **cookie).status == 200
    tokens.remove(token)
    assert taken(door._file)  # type: ignore[arg-type]
    guarded.ask("GET", "/session", **cookie).refused(401, "unauthenticated")


def test_the_session_is_found_among_other_cookies_of_which_none_is_read(
    guarded: Server, cookie: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading each takes microseconds, and far more if it is full of escapes; a header holds two thousand."""
    monkeypatch.setattr(HTTPServerRequest, "cookies", None)
    own = cookie["Cookie"]
    for others in (
        f"a=1; {own};b",
        f'x="{own}"; {own}',
        f"{own};" + "c=2;" * 2000,
        f"splitdnn_session=old; {own}",
    ):
        assert guarded.ask("GET", "/session", Cookie=others).status == 200, others[:80]
    for none in (
        "splitdnn_session",
        "splitdnn_session=",
        f"x{own}",
        f"{own}x",
        f"{own}; splitdnn_session=later",
    ):
        guarded.ask("GET", "/session", Cookie=none).refused(401, "unauthenticated")
