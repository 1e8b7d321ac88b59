"""`/page` and its events, of a real server: for whoever may see them, in small and self-contained, and bounded."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from kits.cloud import Server, request, until
from kits.tokens import Tokens, bearing, taken

from cloud.http.page.handlers import cloud_document
from shared.security.rights import Right
from shared.wire.page.stream import MAX_VIEWERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kits.cloud import Connection

EVENTS = "/page/events"
HTML = {"Accept": "text/html,application/xhtml+xml"}
MOST_BYTES = 60_000


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    return Tokens(tmp_path_factory.mktemp("tokens") / "tokens")


@pytest.fixture(scope="module")
def guarded(_loaded: None, tokens: Tokens) -> Iterator[Server]:
    with Server(token_file=str(tokens.path)) as running:
        yield running


class Watching:
    """A page's stream of events."""

    def __init__(self, connection: Connection) -> None:
        self._lines = connection.socket.makefile("rb")
        self.status = int(self._lines.readline().split()[1])
        self.headers = {}
        while line := self._line():
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        self._rest = ""

    def _line(self) -> str:
        return self._lines.readline().decode().rstrip("\r\n")

    def event(self) -> tuple[str, Any]:
        """The next event's kind and data; ("end", None) where the connection or the answer ends."""
        while "\n\n" not in self._rest:
            size = int(self._line() or "0", 16)
            if not size:
                return "end", None
            self._rest += self._lines.read(size).decode()
            self._line()
        text, _, self._rest = self._rest.partition("\n\n")
        fields = dict(line.split(": ", 1) for line in text.splitlines())
        return fields.get("event", "state"), json.loads(fields["data"])

    def until(self, kind: str, most: int = 20) -> Any:
        """The data of the next event of this kind."""
        for _ in range(most):
            found, said = self.event()
            if found == kind:
                return said
        raise AssertionError(f"no {kind}")


@contextmanager
def watching(server: Server, path: str = EVENTS, **headers: str) -> Iterator[Watching]:
    with server.connect() as connection:
        connection.send(request("GET", path, headers=headers))
        yield Watching(connection)


def test_it_is_small_self_contained_and_runs_nothing_else() -> None:
    page = cloud_document()
    text = page.html.decode()
    assert len(page.html) < MOST_BYTES
    assert "default-src 'none'" in page.policy
    for kind in ("style", "script"):
        (inline,) = re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in page.policy, kind
    assert re.findall(r"(?:src|href)=\"([^\"]+)\"", text) == ["data:,", "#main", "login"], (
        "nothing comes from elsewhere"
    )
    assert not re.search(r"\son\w+=|\sstyle=|javascript:", text), "the policy would stop that"
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    assert "http://" not in text
    assert "https://" not in text


def test_what_the_script_fills_is_there_and_every_table_says_what_it_is() -> None:
    text = cloud_document().html.decode()
    ids = re.findall(r"\bid=\"([\w-]+)\"", text)
    assert len(ids) == len(set(ids))
    named = set(re.findall(r"(?:part|put|show|draw)\(\"([\w-]+)\"", text))
    assert len(named) > 30
    assert named <= set(ids)
    assert set(re.findall(r"aria-labelledby=\"([\w-]+)\"", text)) <= set(ids)
    assert text.count("<table>") == text.count("<caption") == text.count("</table>") >= 7
    assert set(re.findall(r"<th\b([^>]*)>", text)) == {' scope="col"', ' scope="col" class="n"'}
    assert text.count("<canvas") == text.count('role="img" aria-label=')


def test_it_is_for_those_with_its_right(guarded: Server, tokens: Tokens) -> None:
    allowed, others = bearing(tokens.of["page"]), bearing(tokens.of["metrics"])
    page = guarded.ask("GET", "/page", **allowed)
    assert (page.status, page.body) == (200, cloud_document().html)
    assert page.headers["content-security-policy"] == cloud_document().policy
    for name, value in [
        ("content-type", "text/html; charset=UTF-8"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ]:
        assert page.headers[name] == value, name
    head = guarded.ask("HEAD", "/page", **allowed)
    assert (head.status, head.body) == (200, b"")
    for path in ("/page", EVENTS, "/events"):
        guarded.ask("GET", path).refused(401, "unauthenticated")
        guarded.ask("GET", path, **others).refused(403, "forbidden")
        assert guarded.ask("HEAD", path).status == 401
    assert guarded.metric("requests_total", endpoint="/page", code="200") == 2


def test_a_browser_is_sent_to_log_in_and_a_script_is_told(guarded: Server, tokens: Tokens) -> None:
    sent = guarded.ask("GET", "/page", **HTML)
    assert (sent.status, sent.headers["location"], sent.body) == (303, "/login", b"")
    guarded.ask("GET", "/page", **HTML, **bearing(tokens.of["metrics"])).refused(403, "forbidden")
    assert guarded.ask("HEAD", "/page", Accept="*/*").status == 401, "what an open page asks"
    guarded.ask("POST", "/page", **bearing(tokens.of["page"])).refused(405, "http")


def test_without_a_token_it_is_not_shown_to_pages_of_other_sites() -> None:
    with Server() as server:
        for host in ("evil.example", "cloud.example:8881"):  # a name that leads here, as its owner wants
            for path in ("/page", EVENTS):
                server.ask("GET", path, Host=host).refused(403, "forbidden")
        for host in ("127.0.0.1:8881", "localhost", "cloud", "[::1]:8881"):
            assert server.ask("GET", "/page", Host=host).status == 200, host
        for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            server.ask("GET", EVENTS, **headers).refused(403, "forbidden")


def test_events_are_states_once_a_second_for_all_viewers(guarded: Server, tokens: Tokens) -> None:
    with ExitStack() as stack:
        many = [
            stack.enter_context(watching(guarded, path, **bearing(tokens.of["page"])))
            for path in (EVENTS, "/events", EVENTS)
        ]
        for each in many:
            assert (each.status, each.headers["content-type"]) == (200, "text/event-stream; charset=UTF-8")
            assert each.headers["cache-control"] == "no-store"
        states = [each.until("state") for each in many]
        assert states[0] == states[1] == states[2], "it is made once"
        assert states[0]["cloud"] == guarded.service.cloud
        later = many[0].until("state")
        assert later["uptime_s"] >= states[0]["uptime_s"] + 0.9


def test_a_token_that_is_taken_away_ends_the_stream(guarded: Server, tokens: Tokens) -> None:
    token = tokens.add("guest", Right.PAGE)
    door = guarded.service.door
    assert taken(door._file)  # type: ignore[arg-type]
    with watching(guarded, **bearing(token)) as viewer:
        viewer.until("state")
        tokens.remove(token)
        assert taken(door._file)  # type: ignore[arg-type]
        viewer.until("over")
        assert viewer.event() == ("end", None)


def test_logging_out_ends_the_stream_too(guarded: Server, tokens: Tokens) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = guarded.ask("POST", "/login", b"token=" + tokens.of["page"].encode(), **form)
    cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
    assert guarded.ask("GET", "/page", **cookie, **HTML).status == 200
    with watching(guarded, **cookie) as viewer:
        viewer.until("state")
        key = guarded.ask("GET", "/session", **cookie).json["form_key"]
        assert guarded.ask("POST", "/logout", f"form_key={key}".encode(), **form, **cookie).status == 303
        viewer.until("over")


def test_there_are_only_so_many_viewers_and_who_leaves_makes_room() -> None:
    with Server(client_connections=200) as server, ExitStack() as stack:
        for _ in range(MAX_VIEWERS):
            assert stack.enter_context(watching(server)).status == 200
        assert "32 pages are open" in server.ask("GET", EVENTS).refused(503, "unavailable")["error"]
        assert server.ask("GET", "/page").status == 200
        stack.close()
        until(lambda: server.ask("HEAD", EVENTS).status == 200)
        until(lambda: server.metric("requests_total", endpoint=EVENTS, code="200") >= MAX_VIEWERS)
        name = "request_duration_seconds_sum"
        assert server.metric(name, endpoint=EVENTS) < 1.0, "looking is no latency"


def test_the_page_is_there_to_the_end_and_holds_nothing_up() -> None:
    with ExitStack() as stack:
        with Server() as server:
            viewer = stack.enter_context(watching(server))
            assert viewer.until("state")["state"] == "ready"
            server.stop_service().result(30.0)
            while viewer.until("state")["state"] != "stopped":
                pass
        while viewer.event() != ("end", None):
            pass
