"""The client in hands that hold it wrongly: one kind of error, and at once."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest
from kits.certificates import Certificates
from kits.uplink import fake_cloud

from shared.security.tls.context import server_context
from splitdnn import Client, ClientError, SettingsError

PICTURE = np.zeros((8, 8, 3), np.uint8)
NOWHERE = "http://127.0.0.1:1"


def test_what_is_no_frame():
    async def use():
        async with Client(NOWHERE) as client:
            for wrong in (None, 5, [1], "text", {"a": 1}, object()):
                with pytest.raises(ClientError, match=f"not {type(wrong).__name__}") as caught:
                    await client.send(wrong)
                assert caught.value.reason == "bad_frame", wrong

    asyncio.run(use())


def test_numbers_that_are_none():
    for options, text in (
        ({"timeout_s": 0}, "timeout_s=0; accepted: seconds above 0"),
        ({"timeout_s": -1}, "timeout_s=-1;"),
        ({"timeout_s": math.nan}, "timeout_s=nan;"),
        ({"timeout_s": math.inf}, "timeout_s=inf;"),
        ({"timeout_s": None}, "timeout_s=None;"),
        ({"connections": 0}, "connections=0; accepted: whole numbers from 1"),
        ({"connections": -1}, "connections=-1;"),
        ({"connections": 1.5}, "connections=1.5;"),
        ({"picture_size": "camera"}, "picture_size=camera; accepted: network, source"),
    ):
        with pytest.raises(SettingsError) as caught:
            Client(NOWHERE, **options)
        assert str(caught.value).startswith(text)


def test_a_client_is_opened_once_at_a_time():
    async def use():
        async with Client(NOWHERE) as client:
            with pytest.raises(SettingsError, match="open already"):
                await client.__aenter__()
        async with client:  # once closed it may be opened again
            with pytest.raises(ClientError, match="Cannot connect"):
                await client.model()

    asyncio.run(use())


def test_closing_it_ends_the_calls_that_are_under_way():
    """Also those that wait for a connection, which must not look as if their own caller had cancelled them."""

    async def use():
        async with fake_cloud() as cloud:
            asked = asyncio.Event()

            async def silent(request):
                asked.set()
                return await cloud.never(request)

            cloud.model = silent
            async with Client(cloud.url, connections=2) as client:
                calls = [asyncio.create_task(client.model()) for _ in range(6)]
                await asked.wait()
            for call in calls:
                with pytest.raises(ClientError) as caught:
                    await call
                assert caught.value.reason == "closed"

    asyncio.run(asyncio.wait_for(use(), 120))


def test_a_caller_that_is_cancelled_is_cancelled():
    async def use():
        async with fake_cloud() as cloud:
            asked = asyncio.Event()

            async def silent(request):
                asked.set()
                return await cloud.never(request)

            cloud.model = silent
            async with Client(cloud.url) as client:
                call = asyncio.create_task(client.infer(PICTURE))
                await asked.wait()
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call

    asyncio.run(asyncio.wait_for(use(), 120))


def test_files_of_tls_that_cannot_be_used(tmp_path):
    made = Certificates.at(tmp_path)
    ca, certificate, key = (made.path("edge", name) for name in ("ca.crt", "tls.crt", "tls.key"))
    for url, given, wanted in (
        ("http://127.0.0.1:1", {"ca": ca}, "need an https:// address"),
        ("https://127.0.0.1:1", {"ca": "/nowhere"}, "ca /nowhere: No such file"),
        ("https://127.0.0.1:1", {"ca": key}, "no certificate in PEM form"),
        ("https://127.0.0.1:1", {"ca": ca, "key": key}, "needs certificate too"),
        ("https://127.0.0.1:1", {"ca": ca, "certificate": certificate}, "no private key"),
        ("https://127.0.0.1:1", {"ca": ca, "certificate": certificate, "key": made.path("cloud", "tls.key")}, "is not that of certificate"),
    ):  # fmt: skip
        with pytest.raises(SettingsError) as caught:
            Client(url, **given)
        assert wanted in str(caught.value), given


def test_it_says_whom_it_does_not_trust(tmp_path):
    made, other = Certificates.at(tmp_path / "made"), Certificates.at(tmp_path / "other")

    async def go():
        async with fake_cloud(server_context(made.files("cloud"))) as cloud:
            async with Client(cloud.url, ca=other.path("edge", "ca.crt")) as client:
                with pytest.raises(ClientError, match="give --ca the file") as caught:
                    await client.model()
                assert (caught.value.reason, caught.value.retryable) == ("untrusted", False)
            files = (made.path("edge", name) for name in ("ca.crt", "tls.crt", "tls.key"))
            async with Client(
                cloud.url, **dict(zip(("ca", "certificate", "key"), files, strict=True))
            ) as client:
                with pytest.raises(ClientError) as caught:
                    await client.model()
                assert caught.value.reason == "not_splitdnn", "it was answered, if only by a fake"

    asyncio.run(go())
