"""A cloud far away, as behind a satellite: what the first frame does not wait for comes later."""

from __future__ import annotations

import asyncio
import socket

import aiohttp
import pytest
from kits.switching import with_edge
from kits.uplink import FRAME, GOOD, HERE, with_cloud
from prometheus_client import Counter

from edge.uplink import line
from edge.uplink.asking.patience import Patience
from edge.uplink.circuit import State
from edge.uplink.client import CloudClient
from shared.errors import UplinkError


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("deadline_s", [0.1, 2.0])
def test_one_that_is_too_slow_for_the_start_is_asked_in_the_end(monkeypatch, deadline_s):
    """Over a satellite a connection and an answer take more than a second: no edge behind one ever sent a frame."""
    monkeypatch.setattr(line, "_HURRY_S", 0.1)

    async def check(cloud, uplink):
        async def slow(request):
            await asyncio.sleep(0.4)
            return await cloud._respond(HERE, request)

        cloud.model, cloud.answer = slow, GOOD
        began = asyncio.get_running_loop().time()
        await uplink.check(hurry=True)
        assert asyncio.get_running_loop().time() - began < 0.35, "the first frame does not wait for it"
        assert uplink.circuit.state is State.OPEN
        async with asyncio.timeout(20):
            while uplink.circuit.state is State.OPEN:
                await asyncio.sleep(0.002)
        await uplink.ask(FRAME)
        assert uplink.circuit.state is State.CLOSED

    with_cloud(check, deadline_s=deadline_s)


def test_each_connection_that_does_not_come_is_waited_for_longer_in_turns():
    own = Patience()
    seen = []
    for _ in range(5):
        seen.append(own.timeout.connect)
        own.unconnected()
    assert seen == [1.0, 2.0, 4.0, 1.0, 2.0]
    assert own.timeout.total is not None
    assert own.timeout.sock_read is not None


@pytest.mark.parametrize(
    ("url", "given", "text"),
    [
        ("https", {"connect": 0.05, "total": 20}, "no connection within 0.05 s"),  # TLS is part of it
        ("http", {"connect": 20, "sock_read": 0.05, "total": 20}, "nothing came for 0.05 s"),
        ("http", {"connect": 20, "sock_read": 20, "total": 0.05}, "no answer within 0.05 s"),
    ],
)
def test_what_did_not_come_is_told(url, given, text):
    async def go():
        async def silent(reader, writer):
            await reader.read()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        client = CloudClient(
            f"{url}://127.0.0.1:{server.sockets[0].getsockname()[1]}",
            Counter("sent", "Bytes", registry=None),
            connections=1,
        )
        client.open()
        about = {}
        try:
            with pytest.raises(UplinkError, match=text) as caught:
                await client.request("GET", "/model", aiohttp.ClientTimeout(**given), about)
            assert caught.value.reason == "late"
            assert ("fresh" in about) == (url == "http")
        finally:
            await client.close()
            server.close()

    asyncio.run(asyncio.wait_for(go(), 60))


def test_the_next_probe_waits_longer_where_no_connection_came_and_goes_by_a_connection_of_its_own(
    monkeypatch,
):
    async def check(_cloud, uplink):
        asked = []

        async def request(_method, _path, given, about, *, afresh):
            asked.append((given.connect, afresh))
            if len(asked) == 3:
                about["fresh"] = True
            raise UplinkError("late", "no")

        monkeypatch.setattr(uplink._client, "request", request)
        for number in range(4):
            if number == 1:
                monkeypatch.setattr(uplink.circuit, "state", State.OPEN)
            with pytest.raises(UplinkError):
                await uplink.greet()
        assert asked == [(1.0, False), (2.0, True), (4.0, True), (4.0, True)]

    with_cloud(check)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no such option")
def test_a_connection_over_which_nothing_is_taken_any_more_ends():
    """A profile on its way has minutes; its host may have gone without a word."""

    async def check(cloud, uplink):
        cloud.answer = GOOD
        await uplink.check(hurry=True)
        found = []
        for proto, _ in [each for pool in uplink._client._session.connector._conns.values() for each in pool]:
            sock = proto.transport.get_extra_info("socket")
            found.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))
        assert found == [30_000]

    with_cloud(check)


def test_only_the_first_question_to_the_cloud_hurries(monkeypatch):
    """Later ones hold up no frame: the network before it answers."""
    hurries = []

    async def check_of(_uplink, *, hurry=True):
        hurries.append(hurry)

    async def check(edge):
        monkeypatch.setattr("edge.uplink.uplink.Uplink.check", check_of)
        await edge.switch.open("A")
        await edge.switch.take("B")
        assert hurries == [True, False]

    with_edge(check)
