"""Requests for a bundle's files: as careful as those of frames."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from edge.network.download import get, open_session
from shared.errors import FetchError


def with_server(answer, use):
    """Run `use(session, url)` against a server that answers every GET by `answer(request)`."""

    async def go():
        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            async with open_session() as session:
                await use(session, f"http://127.0.0.1:{runner.addresses[0][1]}/bundle")
        finally:
            await runner.cleanup()

    asyncio.run(asyncio.wait_for(go(), 120))


def test_cookies_are_not_kept_and_nothing_is_asked_of_a_proxy(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    seen = []

    async def answer(request):
        seen.append(request.headers.get("Cookie"))
        response = web.Response(body=b"x")
        response.set_cookie("c", "v")
        return response

    async def use(session, url):
        for _ in range(2):
            async with get(session, url) as response:
                assert await response.read() == b"x"

    with_server(answer, use)
    assert seen == [None, None]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_is_named_and_not_followed(status):
    seen = []

    async def answer(request):
        seen.append(request.path)
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async def use(session, url):
        with pytest.raises(FetchError, match=f"bundle: {status}") as caught:
            async with get(session, url):
                pass
        assert not caught.value.passing

    with_server(answer, use)
    assert seen == ["/bundle"]


def test_what_a_refusal_says_acts_on_no_terminal():
    async def answer(_request):
        return web.json_response({"error": "\x1b[2J\nforged"}, status=422)

    async def use(session, url):
        with pytest.raises(FetchError) as caught:
            async with get(session, url):
                pass
        assert str(caught.value).isprintable()

    with_server(answer, use)
