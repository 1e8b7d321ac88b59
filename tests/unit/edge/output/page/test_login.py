"""A browser shows its token once, and has a session from then on."""

from __future__ import annotations

import asyncio
import re

import aiohttp
import pytest
from kits.edge_page import PageRun, events, served
from kits.tokens import Tokens
from yarl import URL

from shared.security.gate import Gate
from shared.security.rights import Right
from shared.security.sessions import Sessions
from shared.security.tokens.file import TokenFile


@pytest.fixture
def tokens(tmp_path):
    return Tokens(tmp_path / "tokens")


def run(check, tokens):
    async def go():
        made = PageRun()
        gate = Gate(TokenFile(str(tokens.path)), frozenset(), Sessions())
        jar = aiohttp.CookieJar(unsafe=True)  # an address, not a name
        async with served(made, gate, cookie_jar=jar) as port, asyncio.timeout(60):
            await check(made, port)

    asyncio.run(go())


def logins(made, result):
    return made.metrics.registry.get_sample_value("splitdnn_edge_page_logins_total", {"result": result})


def form_key(answer):
    return re.search(rb'name="form_key" value="([^"]+)"', answer.body)[1].decode()


def test_a_token_opens_the_page_until_its_owner_logs_out(tokens):
    async def check(made, port):
        shut = await port.ask("/")
        assert shut.status == 401
        assert b'name="token"' in shut.body
        came = await port.ask("/login", "POST", data={"token": f" {tokens.of['page']}\n"})
        assert (came.status, came.headers["Location"]) == (303, "/")
        cookie = came.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert tokens.of["page"] not in cookie
        assert (await port.ask("/")).status == 200
        assert (await port.ask("/metrics")).status == 403, "the token gives no other right"
        who = await port.ask("/login")
        assert b"Logged in as page" in who.body
        assert (await port.ask("/logout", "POST", data={"form_key": "wrong"})).status == 403
        gone = await port.ask("/logout", "POST", data={"form_key": form_key(who)})
        assert (gone.status, gone.headers["Location"]) == (303, "/login")
        assert (await port.ask("/")).status == 401
        assert (logins(made, "begun"), logins(made, "refused")) == (1, 0)

    run(check, tokens)


def test_an_open_page_ends_when_its_owner_logs_out(tokens):
    async def check(_, port):
        await port.ask("/login", "POST", data={"token": tokens.of["page"]})
        async with port.client.get("/events") as response:
            found = events(response)
            await anext(found)
            key = form_key(await port.ask("/login"))
            assert (await port.ask("/logout", "POST", data={"form_key": key})).status == 303
            assert [name async for name, _ in found][-1] == "over"

    run(check, tokens)


def test_two_edges_of_one_machine_do_not_log_each_others_people_out(tokens):
    async def check(made, port):
        await port.ask("/login", "POST", data={"token": tokens.of["page"]})
        gate = Gate(TokenFile(str(tokens.path)), frozenset(), Sessions())
        async with served(PageRun(), gate, cookie_jar=port.client.cookie_jar) as other:
            assert (await other.ask("/")).status == 401
            await other.ask("/login", "POST", data={"token": tokens.of["page"]})
            assert (await other.ask("/")).status == 200
        assert (await port.ask("/")).status == 200

    run(check, tokens)


def test_a_token_that_is_not_known_is_refused_in_words(tokens):
    async def check(made, port):
        for token in ("nonsense", "", "sdn_" + "x" * 1000):
            answer = await port.ask("/login", "POST", data={"token": token})
            assert answer.status in (400, 401), token
            assert "Set-Cookie" not in answer.headers
        assert logins(made, "refused") >= 2

    run(check, tokens)


def test_what_is_no_text_is_refused_without_a_word_in_the_log(tokens, caplog):
    caplog.set_level("INFO")

    async def check(_, port):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        for number in range(3):
            secret = f"token=%ff{number}sdn_secret"
            assert (await port.ask("/login", "POST", data=secret, headers=headers)).status == 400
            path = URL(f"/snapshot/%ff{number}.jpg", encoded=True)
            assert (await port.ask(path)).status == 400
        assert not caplog.records

    run(check, tokens)


def test_a_token_without_the_right_is_told_so(tokens):
    async def check(_, port):
        await port.ask("/login", "POST", data={"token": tokens.of[Right.METRICS]})
        answer = await port.ask("/")
        assert answer.status == 403
        assert b"does not give the right page" in answer.body
        assert (await port.ask("/metrics")).status == 200

    run(check, tokens)


def test_another_site_logs_nobody_in(tokens):
    async def check(_, port):
        for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = await port.ask("/login", "POST", data={"token": tokens.of["page"]}, headers=headers)
            assert answer.status == 403
            assert "Set-Cookie" not in answer.headers

    run(check, tokens)
