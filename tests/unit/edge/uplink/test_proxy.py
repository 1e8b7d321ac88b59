"""The cloud by the way of a proxy that the user named, and of no other."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging

import pytest
from aiohttp import web
from kits.certificates import Certificates
from kits.proxy import a_proxy
from kits.uplink import FRAME, GOOD, HERE, fake_cloud, make_uplink, refusal, refused_url

from edge.metrics import EdgeMetrics
from edge.network.agreed_weights import agreed_weights
from edge.network.download import get, open_session
from edge.uplink.line import trust_of
from shared.errors import FetchError, UplinkError
from shared.security.tls.context import server_context
from splitdnn import Client, ClientError, SettingsError

LOGIN = "us%20er:p%40ss%3A%C3%BC%E2%82%AC"
BASIC = "Basic " + base64.b64encode("us er:p@ss:ü€".encode()).decode()


def through(proxy, login=LOGIN):
    return proxy.url.replace("://", f"://{login}@")


def run(coroutine):
    asyncio.run(asyncio.wait_for(coroutine, 120))


@contextlib.asynccontextmanager
async def cloud_and_uplink(proxy, *, served=None, **options):
    async with fake_cloud(served) as cloud, make_uplink(cloud.url, proxy=proxy, **options) as uplink:
        yield cloud, uplink


def test_everything_that_is_asked_goes_through_it(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    async def go():
        async with a_proxy() as proxy, cloud_and_uplink(through(proxy)) as (cloud, uplink):
            await uplink.check()
            assert (await uplink.ask(FRAME)).answer
            cloud.model = HERE | {"weights": "random:7"}
            url = through(proxy)
            assert await asyncio.to_thread(agreed_weights, cloud.url, "resnet18", "auto", 0, proxy=url) == (
                "random",
                7,
            )
            async with open_session(proxy=url) as session, get(session, f"{cloud.url}/model") as response:
                assert response.status == 200
            assert proxy.asked == [
                f"{method} {cloud.url}/model{query} HTTP/1.1"
                for method, query in (("GET", ""), ("POST", "?top=5"), ("GET", ""), ("GET", ""))
            ]
            assert proxy.logins == [BASIC] * 4

    run(go())


def test_an_https_cloud_is_checked_through_it_and_it_sees_no_frame(tmp_path):
    made = Certificates.at(tmp_path)

    class Settings:
        cloud_url = "https://127.0.0.1"
        ca = made.path("edge", "ca.crt")
        client_certificate = client_key = None

    async def go():
        served = server_context(made.files("cloud"))
        tls = trust_of(Settings, EdgeMetrics())
        async with (
            a_proxy() as proxy,
            cloud_and_uplink(through(proxy), served=served, tls=tls) as (cloud, uplink),
        ):
            seen = []

            async def answer(request):
                seen.append(dict(request.headers))
                return web.json_response(GOOD)

            cloud.answer = answer
            await uplink.check()
            for _ in range(3):
                assert (await uplink.ask(FRAME)).answer
            assert "Proxy-Authorization" not in seen[0]
            assert BASIC not in seen[0].values()
            where = cloud.url.removeprefix("https://")
            assert proxy.asked == [f"CONNECT {where} HTTP/1.1"], "the connection stays open"
            assert proxy.logins == [BASIC]

            Settings.ca = Certificates.at(tmp_path / "other").path("edge", "ca.crt")
            wrong = trust_of(Settings, EdgeMetrics())
            async with make_uplink(cloud.url, proxy=proxy.url, tls=wrong) as other:
                error = await refusal(other)
                assert error.reason == "untrusted"
                assert "give --ca" in str(error)

    (tmp_path / "other").mkdir()
    run(go())


def test_what_the_proxy_refuses_costs_no_start_and_is_told_without_its_password(caplog, tmp_path):
    made = Certificates.at(tmp_path)

    class Settings:
        cloud_url = "https://127.0.0.1"
        ca = made.path("edge", "ca.crt")
        client_certificate = client_key = None

    wanted = {
        b"407 Proxy Authentication Required": (
            "unauthorized",
            "the proxy asks for another user and password",
        ),
        b"403 \x1b[2JForbidden": ("unreachable", "403"),
        b"502 Bad Gateway": ("unreachable", "502"),
    }

    async def go():
        tls = trust_of(Settings, EdgeMetrics())
        for served, trust in ((None, None), (server_context(made.files("cloud")), tls)):
            async with a_proxy() as proxy:
                for answer, (reason, text) in wanted.items():
                    proxy.refusal = answer
                    async with cloud_and_uplink(through(proxy), served=served, tls=trust) as (cloud, uplink):
                        found = await refusal(uplink)
                        if trust or reason == "unauthorized":
                            assert found.reason == reason, answer
                            assert text in str(found), answer
                            await uplink.check()
                            assert uplink.circuit.is_open
                        assert str(found).isprintable()
                        assert cloud.frames == []

    caplog.set_level(logging.DEBUG)
    run(go())
    for secret in ("p@ss", "p%40ss", BASIC):
        assert secret not in caplog.text


def test_a_proxy_that_is_away_is_a_cloud_that_is_away(caplog):
    async def go():
        with refused_url() as nobody:
            url = nobody.replace("://", f"://{LOGIN}@")
            async with cloud_and_uplink(url) as (cloud, uplink):
                error = await refusal(uplink)
                assert error.reason == "unreachable"
                assert nobody.removeprefix("http://") in str(error)
                assert "ss" not in str(error).replace("ssl", "").replace("address", "").replace("passed", "")
                async with open_session(proxy=url) as session:
                    with pytest.raises(FetchError) as caught:
                        async with get(session, f"{cloud.url}/bundle/x"):
                            pass
                assert "p%40" not in str(caught.value)

    caplog.set_level(logging.DEBUG)
    run(go())
    assert "p@ss" not in caplog.text
    assert "p%40ss" not in caplog.text


def test_a_client_goes_through_one_that_it_is_given():
    async def go():
        async with a_proxy() as proxy, fake_cloud() as cloud:
            cloud.model = HERE
            async with Client(cloud.url, proxy=through(proxy)) as client:
                with pytest.raises(ClientError, match="not as a SplitDNN cloud"):
                    await client.model()
            assert proxy.asked == [f"GET {cloud.url}/model HTTP/1.1"]
            assert proxy.logins == [BASIC]

    run(go())
    for url in ("proxy:3128", "socks5://proxy:1080", "http://u:p/q@proxy", ""):
        with pytest.raises(SettingsError, match="not the URL of an HTTP proxy"):
            Client("http://127.0.0.1:1", proxy=url)


def test_an_answer_of_the_proxy_is_no_answer_of_a_cloud():
    async def go():
        async with a_proxy() as proxy, cloud_and_uplink(proxy.url) as (_, uplink):
            proxy.refusal = b"200 OK"
            with pytest.raises(UplinkError) as caught:
                await uplink.ask(FRAME)
            assert caught.value.reason == "refused"

    run(go())
