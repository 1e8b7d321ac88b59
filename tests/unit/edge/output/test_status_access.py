"""Who may read what on the edge's status port."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from kits.tokens import Tokens, bearing

from edge.config import EdgeSettings
from edge.metrics import EdgeMetrics
from edge.output.status import open_gate, serve_status
from shared.errors import SettingsError
from shared.security.rights import Right


@pytest.fixture
def tokens(tmp_path):
    return Tokens(tmp_path / "tokens")


def with_status(check, **settings):
    """Run `check(ask)`, where `ask(path, token)` gives status, headers and JSON or None."""

    async def go():
        metrics = EdgeMetrics()
        gate, watching = open_gate(EdgeSettings(**settings), metrics.token_file_errors.inc)
        server, port = serve_status(metrics.registry, lambda: "running", metrics.unseen, "127.0.0.1", 0, gate)
        async with aiohttp.ClientSession() as session:

            async def ask(path, token=None, method="GET"):
                url = f"http://127.0.0.1:{port}{path}"
                async with session.request(method, url, headers=bearing(token) if token else {}) as response:
                    json = "json" in response.headers["Content-Type"] and method != "HEAD"
                    return response.status, response.headers, await response.json() if json else None

            try:
                await check(ask, metrics)
            finally:
                watching.cancel()
                server.stop()
                await server.close_all_connections()

    asyncio.run(go())


def test_each_path_takes_its_own_right(tokens):
    async def check(ask, _):
        for right in (None, *Right):
            token = tokens.of[right] if right else None
            for path, open_status in (("/healthz", 200), ("/readyz", 503), ("/nowhere", 404)):
                assert (await ask(path, token))[0] == open_status, (path, right)
            for path, method in (
                ("/metrics", "GET"),
                ("/metrics", "HEAD"),
                ("/clouds", "GET"),
                ("/clouds", "HEAD"),
            ):
                status, headers, said = await ask(path, token, method)
                assert status == {None: 401, Right.METRICS: 200}.get(right, 403), right
                assert ("WWW-Authenticate" in headers) == (right is None)
                if said and right is not Right.METRICS:
                    assert said["reason"] == ("forbidden" if right else "unauthenticated")

    with_status(check, status_token_file=str(tokens.path))


def test_tokens_come_and_go(tokens, monkeypatch):
    monkeypatch.setattr("shared.security.tokens.file.LOOK_S", 0.0)

    async def until(ask, token, status):
        async with asyncio.timeout(60):
            while (await ask("/metrics", token))[0] != status:
                pass

    async def check(ask, metrics):
        new = tokens.add("another", Right.METRICS)
        await until(ask, new, 200)
        tokens.remove(new)
        await until(ask, new, 401)
        tokens.path.write_text("nonsense\n")
        async with asyncio.timeout(60):
            while not metrics.registry.get_sample_value("splitdnn_edge_token_file_errors_total"):
                await ask("/healthz")
        assert (await ask("/metrics", tokens.of["metrics"]))[0] == 200

    with_status(check, status_token_file=str(tokens.path))


def test_without_tokens_it_is_open_on_this_machine_and_starts_nowhere_else():
    async def check(ask, _):
        assert (await ask("/metrics"))[0] == 200

    with_status(check)
    with_status(check, status_address="0.0.0.0", status_anonymous="metrics")
    with pytest.raises(SettingsError, match="--status-anonymous all"):
        with_status(check, status_address="0.0.0.0")


def test_tokens_that_reach_the_port_unencrypted_are_warned_of(tokens, caplog):
    async def check(ask, _):
        assert (await ask("/metrics", tokens.of["metrics"]))[0] == 200

    for address, count in (("0.0.0.0", 1), ("127.0.0.1", 0)):
        caplog.clear()
        with_status(check, status_address=address, status_token_file=str(tokens.path))
        warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert len(warned) == count, address
        assert all("--status-certificate" in line for line in warned)


def test_nothing_is_open_if_that_is_said():
    async def check(ask, _):
        assert (await ask("/metrics"))[0] == 401
        assert (await ask("/healthz"))[0] == 200

    with_status(check, status_anonymous="nothing")
