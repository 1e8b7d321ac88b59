"""States to everybody who watches: the newest one, made once, and never a queue."""

from __future__ import annotations

import asyncio
import contextlib
import itertools

import aiohttp
import pytest
from kits.edge_page import events
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from shared.errors import UnavailableError
from shared.wire.page.stream import Stream


class _Handler(RequestHandler):
    async def get(self):
        try:
            await self.settings["stream"].follow(self, lambda: self.settings["allowed"][0])
        except UnavailableError as error:
            self.set_status(error.status)

    head = get


@contextlib.asynccontextmanager
async def served(state, **options):
    stream, allowed = Stream(state, **options), [True]
    server = HTTPServer(
        Application([("/", _Handler)], stream=stream, allowed=allowed, log_function=lambda _: None)
    )
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{sockets[0].getsockname()[1]}") as client:
            yield stream, client, allowed
    finally:
        await stream.close()
        server.stop()
        await server.close_all_connections()


async def until(true):
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.005)


def run(check, state, **options):
    async def go():
        async with served(state, **options) as found:
            async with asyncio.timeout(60):
                await check(*found)

    asyncio.run(go())


def numbered():
    """Another state each time it is asked for."""
    numbers = itertools.count()
    return lambda: {"number": next(numbers)}


def test_states_come_one_after_another_and_are_made_once_for_all_viewers():
    made = []

    def state():
        made.append(len(made))
        return {"number": made[-1]}

    async def check(stream, client, _):
        async def watch():
            seen = []
            async with client.get("/") as response:
                assert response.headers["Content-Type"] == "text/event-stream; charset=UTF-8"
                assert response.headers["Cache-Control"] == "no-store"
                async for name, said in events(response):
                    seen.append(said["number"] if name == "state" else None)
                    if len(seen) == 5:
                        break
            return seen

        found = await asyncio.gather(*(watch() for _ in range(3)))
        for seen in found:
            assert None not in seen
            assert seen == sorted(set(seen))
        assert len(made) <= 5 + 3 + 3, "a state for each viewer"
        await until(lambda: not stream.viewers)

    run(check, state, period_s=0.02)


def test_nothing_is_made_while_nobody_watches():
    made = []

    async def check(stream, client, _):
        await asyncio.sleep(0.1)
        assert not made
        async with client.get("/") as response:
            await anext(events(response))
        await until(lambda: not stream.viewers)
        await asyncio.sleep(0.05)
        count = len(made)
        await asyncio.sleep(0.1)
        assert len(made) == count

    run(check, lambda: made.append(1) or {"made": len(made)}, period_s=0.01)


def test_a_viewer_that_does_not_read_is_owed_one_state_at_most(monkeypatch):
    monkeypatch.setattr("shared.wire.page.stream._BYTES_PER_S", 1 << 40)
    monkeypatch.setattr("shared.wire.page.stream._SHARE", 1.0)
    wide = "x" * 200_000
    made = []

    def state():
        made.append(0)
        return {"number": len(made), "wide": wide}

    async def check(stream, client, _):
        async with client.get("/", read_bufsize=1 << 12) as response:
            await until(lambda: stream.viewers == 1)
            await until(lambda: len(made) > 250)  # 50 MB: more than the system's buffers hold
            late, seen = len(made), 0
            async for name, said in events(_wide(response)):
                if name == "state":
                    seen += 1
                    if said["number"] > late:
                        break
            assert seen < late / 2, "it was kept every state that was made"

    run(check, state, period_s=0.001)


def _wide(response):
    """Lines longer than aiohttp reads at once."""

    class Content:
        async def __aiter__(self):
            rest = b""
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield line + b"\n"

    found = Content()
    return type("Response", (), {"content": found})()


def test_a_state_that_stays_the_same_is_not_sent_again_but_a_beat_is():
    async def check(_, client, __):
        async with client.get("/") as response:
            found = events(response)
            assert await anext(found) == ("state", {"still": 1})
            assert (await anext(found))[0] == "beat"

    run(check, lambda: {"still": 1}, period_s=0.01)


def test_it_is_over_as_soon_as_the_viewer_may_see_no_more():
    async def check(stream, client, allowed):
        async with client.get("/") as response:
            found = events(response)
            await anext(found)
            allowed[0] = False
            names = [name async for name, _ in found]
            assert names[-1] == "over"
        await until(lambda: not stream.viewers)

    run(check, numbered(), period_s=0.01)


def test_the_end_lets_everybody_go():
    async def check(stream, client, _):
        async with client.get("/") as response:
            found = events(response)
            await anext(found)
            await stream.close()
            assert [name async for name, _ in found][-1] == "over"
        async with client.get("/") as response:
            assert response.status == 503

    run(check, numbered(), period_s=0.01)


def test_more_viewers_than_may_be_are_refused_and_a_place_is_free_again():
    async def check(stream, client, _):
        async with client.get("/") as first, client.get("/") as second:
            await anext(events(first))
            await anext(events(second))
            async with client.get("/") as third:
                assert third.status == 503
        await until(lambda: not stream.viewers)
        async with client.get("/") as response:
            assert response.status == 200

    run(check, numbered(), most=2, period_s=0.01)


def test_head_is_answered_and_nobody_watches():
    async def check(stream, client, _):
        async with client.head("/") as response:
            assert response.status == 200
        assert stream.viewers == 0

    run(check, numbered())


@pytest.mark.parametrize("bad", [lambda: 1 / 0, lambda: {"share": float("nan")}])
def test_a_state_that_cannot_be_made_ends_nothing(bad, caplog):
    fails = [True] * 3

    def state():
        return bad() if fails and fails.pop() else {"fine": True}

    async def check(_, client, __):
        async with client.get("/") as response:
            async for name, said in events(response):
                if name == "state":
                    assert said == {"fine": True}
                    return

    run(check, state, period_s=0.01)
    said = [each for each in caplog.records if "could not be made" in each.getMessage()]
    assert len(said) == 1


def test_a_machine_that_stood_still_silences_the_page_for_moments_only(monkeypatch):
    monkeypatch.setattr("shared.wire.page.stream._LONGEST_S", 0.01)

    async def check(_, client, __):
        async with client.get("/") as response:
            found = events(response)
            assert [(await anext(found))[0] for _ in range(3)] == ["state"] * 3

    run(check, numbered(), clock=itertools.count(0, 60).__next__)


def test_a_name_that_acts_arrives_as_text():
    async def check(_, client, __):
        async with client.get("/") as response:
            assert await anext(events(response)) == ("state", {"name": "a\n\ndata: forged\n\n\u202e\x9b"})

    run(check, lambda: {"name": "a\n\ndata: forged\n\n\u202e\x9b"})
