"""What a cloud may do with the edge's connections, and what ends them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket

import pytest
from kits.uplink import FRAME, GOOD, make_uplink, metric

from edge.uplink import connections
from edge.uplink.client import CloudClient
from shared.errors import UplinkError
from shared.limits import MAX_INTERIM_ANSWERS, MAX_REPLY_BYTES
from shared.observing.counting.counter import Counter

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
FLOODS = {
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "early hints": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100),
    "an extension of a chunk": (CHUNKED + b"1;a=", b"x" * 1000),
    "extensions of chunks": (CHUNKED, b"1;a=" + b"x" * 100 + b"\r\nx\r\n"),
    "chunks of a byte": (CHUNKED, b"1\r\nx\r\n" * 100),
    "blank lines": (b"", b"\r\n" * 100),
}


class Peer:
    """Answers each request with the next of `answers`: bytes, or (bytes, bytes that are sent for ever)."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.writers = []
        self.requests = 0
        self.sent = 0

    async def serve(self, reader, writer):
        self.writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while self.answers:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (
                        int(line[15:])
                        for line in head.split(b"\r\n")
                        if line.lower().startswith(b"content-length:")
                    ),
                    0,
                )
                await reader.readexactly(length)
                self.requests += 1
                await self.answer(writer, self.answers.pop(0))
            await reader.read()
        writer.transport.abort()

    async def answer(self, writer, answer):
        first, flood = answer if isinstance(answer, tuple) else (answer, b"")
        writer.write(first)
        while flood and self.sent < 50 << 20:
            writer.write(flood)
            self.sent += len(flood)
            await writer.drain()


@contextlib.asynccontextmanager
async def peer_and_client(*answers, connections=1):
    peer = Peer(*answers)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = CloudClient(url, Counter("sent", "Bytes", registry=None), connections=connections)
    client.open()
    try:
        yield peer, client
    finally:
        await client.close()
        server.close()


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 120))


async def ask(client, patience_s=10.0):
    return await client.request("GET", "/model", patience_s)


def pool(client):
    """The connections that wait for a request."""
    return [connection for each in client._session.connector._conns.values() for connection, _ in each]


async def ended(connection):
    """Wait for the end of it, for less long than aiohttp keeps one that is not used."""
    async with asyncio.timeout(10):
        while connection.is_connected():
            await asyncio.sleep(0)


@pytest.mark.parametrize("flood", FLOODS)
def test_more_bytes_than_an_answer_can_have_end_the_connection(flood):
    async def go():
        async with peer_and_client(FLOODS[flood], ANSWER) as (peer, client):
            with pytest.raises(UplinkError) as caught:
                await ask(client)
            assert caught.value.reason == "refused"
            assert peer.sent < 20 << 20, "it was not read to the end"
            assert await ask(client) == (200, b"{}"), "the next request goes by another connection"
            assert len(peer.writers) == 2

    run(go())


def test_what_an_answer_can_have_is_taken():
    body = json.dumps("x" * (MAX_REPLY_BYTES - 2)).encode()
    pieces = b"".join(
        b"%x\r\n%s\r\n" % (len(body[at : at + 512]), body[at : at + 512]) for at in range(0, len(body), 512)
    )
    fields = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 1000) for number in range(60))
    answers = {
        "interim": b"HTTP/1.1 103 Early Hints\r\n\r\n" * MAX_INTERIM_ANSWERS + ANSWER,
        "in small pieces": CHUNKED + pieces + b"0\r\n\r\n",
        "whole": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body,
        "header fields": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + fields + b"\r\n{}",
    }

    async def go():
        async with peer_and_client(*answers.values()) as (peer, client):
            for what in answers:
                status, found = await ask(client)
                assert (status, found) in ((200, b"{}"), (200, body)), what
            assert len(peer.writers) == 1

    run(go())


def test_an_answer_that_nobody_asked_for_is_not_kept_for_the_next_request():
    async def go():
        async with peer_and_client(ANSWER, ANSWER) as (peer, client):
            await ask(client)
            (waiting,) = pool(client)
            lie = b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"x":1}'
            peer.writers[0].write(lie)
            await ended(waiting)
            assert await ask(client) == (200, b"{}")
            assert len(peer.writers) == 2

    run(go())


def test_a_flood_between_two_requests_takes_no_memory():
    """Each empty answer of 40 bytes would be kept, as an object of a kilobyte."""

    async def go():
        async with peer_and_client(ANSWER, ANSWER) as (peer, client):
            await ask(client)
            (waiting,) = pool(client)
            flood = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" * 1000
            flooding = asyncio.create_task(peer.answer(peer.writers[0], (b"", flood)))
            await ended(waiting)
            assert len(waiting._buffer) == 0
            await asyncio.gather(flooding, return_exceptions=True)
            assert peer.sent < 20 << 20

    run(go())


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
def test_a_frame_that_its_peer_does_not_take_is_given_up_with_its_connection():
    """Or each such frame would cost its memory and a descriptor, for as long as the peer likes."""

    async def go():
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        made = []

        client = CloudClient(
            f"http://127.0.0.1:{listener.getsockname()[1]}",
            Counter("sent", "Bytes", registry=None),
            connections=2,
        )
        client.open()
        make = client._session.connector._factory

        def noted():
            connection = make()
            connected = connection.connection_made
            connection.connection_made = lambda transport: (made.append(transport), connected(transport))
            return connection

        client._session.connector._factory = noted
        for _ in range(3):
            with pytest.raises(UplinkError) as caught:
                await client.request("POST", "/model", 0.05, data=bytes(32 << 20))
            assert caught.value.reason == "late"
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [transport.get_extra_info("socket").fileno() for transport in made] == [-1] * 3
        assert [transport.get_write_buffer_size() for transport in made] == [0] * 3
        await client.close()
        listener.close()

    run(go())


def test_aiohttp_makes_its_connections_by_the_factory_that_is_replaced():
    async def go():
        async with peer_and_client(ANSWER) as (_, client):
            await ask(client)
            assert [type(each) for each in pool(client)] == [connections._Connection]

    run(go())


def test_a_frame_whose_answer_is_a_flood_is_refused_and_counted():
    async def go():
        body = json.dumps(GOOD).encode()
        good = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        peer = Peer(FLOODS["interim answers"], good)
        server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
        async with make_uplink(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as uplink:
            with pytest.raises(UplinkError) as caught:
                await uplink.ask(FRAME)
            assert caught.value.reason == "refused"
            assert str(MAX_INTERIM_ANSWERS) in str(caught.value)
            await uplink.ask(FRAME)
            assert metric(uplink, "retries_total") == 0
        server.close()

    run(go())
