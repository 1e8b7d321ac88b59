"""The other clouds of a fleet: they are found by the settings only, and nothing that they say is taken on trust."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from cloud.profiles import fellows as module
from cloud.profiles.fellows import Fellows
from shared.errors import SettingsError
from shared.security.tokens.bearer import Bearer
from shared.security.tokens.keyring import new_token

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import pytest

DATA = b"a profile"
NAME = hashlib.sha256(DATA).hexdigest()[:32]
OWN, OTHER = 16 * "1", 16 * "2"


class _Cloud(RequestHandler):
    """Answers as it is told: status, id and body."""

    def initialize(self, said: dict[str, Any]) -> None:
        self.said = said

    async def get(self) -> None:
        self.said.setdefault("asked", []).append(
            (self.request.method, self.request.path, dict(self.request.headers))
        )
        if self.said.get("silent") and self.request.method == "GET":
            await asyncio.sleep(60)
        self.set_status(self.said.get("status", 200))
        if self.request.method == "GET" and "get_status" in self.said:
            self.set_status(self.said["get_status"])
        if cloud := self.said.get("cloud", OTHER):
            self.set_header("SplitDNN-Cloud", cloud)
        for name, value in self.said.get("headers", {}).items():
            self.set_header(name, value)
        self.finish(self.said.get("body", DATA))

    head = get


def _with(clouds: list[dict[str, Any]], check: Callable[[list[str]], Awaitable[None]]) -> None:
    async def go() -> None:
        servers, urls = [], []
        for said in clouds:
            server = HTTPServer(Application([(".*", _Cloud, {"said": said})]))
            (socket,) = bind_sockets(0, "127.0.0.1")
            server.add_socket(socket)
            servers.append(server)
            urls.append(f"http://127.0.0.1:{socket.getsockname()[1]}")
        await check(urls)
        for server in servers:
            server.stop()
            await server.close_all_connections()

    asyncio.run(asyncio.wait_for(go(), 120))


def _fellows(urls: list[str], **options: Any) -> Fellows:
    return Fellows(urls, OWN, options.pop("bearer", Bearer()), lambda: None, **options)


def test_whoever_has_it_gives_it() -> None:
    missing = {"status": 404, "body": b""}
    clouds = [dict(missing), {}, dict(missing)]

    async def check(urls: list[str]) -> None:
        token = new_token()
        assert await _fellows(urls, bearer=Bearer.of_token(token)).profile(NAME) == DATA
        path = f"/profiles/{NAME}/file"
        assert [each[:2] for each in clouds[1]["asked"]] == [("HEAD", path), ("GET", path)]
        assert clouds[1]["asked"][1][2]["Authorization"] == f"Bearer {token}"
        assert [each[0] for each in clouds[0]["asked"]] == ["HEAD"]

    _with(clouds, check)


def test_what_is_not_believed(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TRANSFER_S", 0.2)
    monkeypatch.setattr(module, "MAX_PROFILE_BYTES", 1000)
    caplog.set_level("INFO")
    for said, text in (
        ({"body": b"another"}, "what came is not that"),
        ({"body": b""}, "what came is not that"),
        ({"cloud": None}, "gives no profile"),
        ({"cloud": "x"}, "gives no profile"),
        ({"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}}, "gives no profile: 302"),
        ({"status": 401}, "gives no profile: 401"),
        ({"body": bytes(1001)}, "does not answer"),
        ({"silent": True}, "does not answer"),
    ):
        caplog.clear()

        async def check(urls: list[str]) -> None:
            assert await _fellows(urls).profile(NAME) is None

        _with([dict(said)], check)
        assert any(text in line for line in caplog.messages), (said, caplog.messages)


def test_a_cloud_does_not_ask_itself() -> None:
    clouds: list[dict[str, Any]] = [{"cloud": OWN}]

    async def check(urls: list[str]) -> None:
        assert await _fellows(urls).profile(NAME) is None
        assert [each[0] for each in clouds[0]["asked"]] == ["HEAD"]

    _with(clouds, check)


def test_a_name_stands_for_all_of_its_addresses() -> None:
    """They are looked up anew each time, and each is asked by its own address under the name."""
    found = {"addresses": ["127.0.0.1"]}
    clouds: list[dict[str, Any]] = [{}]

    async def check(urls: list[str]) -> None:
        port = int(urls[0].rpartition(":")[2])

        async def resolve(host: str, asked: int) -> list[str]:
            assert (host, asked) == ("tasks.cloud", port)
            return found["addresses"]

        fellows = _fellows([f"http://tasks.cloud:{port}"], resolve=resolve)
        assert await fellows.profile(NAME) == DATA
        assert clouds[0]["asked"][0][2]["Host"] == f"tasks.cloud:{port}"
        found["addresses"] = []
        assert await fellows.profile(NAME) is None
        found["addresses"] = ["127.0.0.2", "127.0.0.1"]  # nobody listens at the first
        assert await fellows.profile(NAME) == DATA

    _with(clouds, check)


def test_a_name_that_is_not_found_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    async def check(_urls: list[str]) -> None:
        async def resolve(_host: str, _port: int) -> list[str]:
            raise OSError(-2, "Name or service not known")

        assert await _fellows(["http://tasks.cloud:1"], resolve=resolve).profile(NAME) is None

    _with([], check)
    assert "no other cloud is found under http://tasks.cloud:1: Name or service not known" in caplog.messages


def test_files_of_tls_that_cannot_be_used_now_are_told_and_nobody_is_asked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clouds: list[dict[str, Any]] = [{}]

    def make_context() -> None:
        raise SettingsError("--certificate tls.crt: No such file or directory")

    async def check(urls: list[str]) -> None:
        assert await Fellows(urls, OWN, Bearer(), make_context).profile(NAME) is None
        assert "asked" not in clouds[0]

    _with(clouds, check)
    assert any("--certificate tls.crt" in line for line in caplog.messages)


def test_one_that_cannot_give_it_now_is_not_said_to_have_given_something_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    clouds: list[dict[str, Any]] = [{"get_status": 503}]

    async def check(urls: list[str]) -> None:
        assert await _fellows(urls).profile(NAME) is None

    _with(clouds, check)
    assert any("gives no profile: 503" in line for line in caplog.messages)
    assert not any("what came is not that" in line for line in caplog.messages)
