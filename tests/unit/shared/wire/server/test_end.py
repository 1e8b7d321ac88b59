"""The server's end: what was answered is taken, and what is on its way is answered."""

from __future__ import annotations

import asyncio
import socket

import pytest
from kits.slow_server import GET, LAST, WAIT_S, Service, serving
from tornado.web import RequestHandler

LARGE_BYTES = 16 << 20


class Large(RequestHandler):
    """More than the sockets' buffers hold."""

    def get(self) -> None:
        self.finish(bytes(LARGE_BYTES))


async def half_taken(service: Service) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that an answer is being written to, which its client does not read yet."""
    service.server.request_callback.add_handlers(".*", [("/large", Large)])  # type: ignore[attr-defined]
    reader, writer = await service.connect()
    writer.write(GET.replace(b"GET /", b"GET /large"))
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_S)
    assert service.crowd.is_writing()
    return reader, writer


def test_an_answer_that_is_being_written_is_not_cut_off() -> None:
    async def scenario() -> None:
        async with serving() as service:
            reader, writer = await half_taken(service)
            ending = asyncio.create_task(service.server.let_go(WAIT_S))
            assert len(await asyncio.wait_for(reader.readexactly(LARGE_BYTES), WAIT_S)) == LARGE_BYTES
            await ending
            assert not service.crowd.is_writing()
            writer.close()

    asyncio.run(scenario())


def test_whoever_does_not_read_holds_up_the_end_no_longer_than_it_may() -> None:
    async def scenario() -> None:
        async with serving() as service:
            _, writer = await half_taken(service)
            await service.server.let_go(0.05)
            assert service.crowd.is_writing()
            await service.server.let_go(-1)
            writer.close()

    asyncio.run(scenario())


def test_a_request_that_is_on_its_way_is_answered_and_no_connection_accepted() -> None:
    async def scenario() -> None:
        async with serving() as service:
            service.answer.set()
            reader, writer = await service.connect()
            writer.write(GET)
            await asyncio.wait_for(reader.readuntil(b"done"), WAIT_S)
            ending = asyncio.create_task(service.server.let_go(WAIT_S))
            await asyncio.sleep(0)  # it has begun
            writer.write(LAST)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", service.port))
            assert (await asyncio.wait_for(reader.read(), WAIT_S)).endswith(b"done")
            await ending
            writer.close()

    asyncio.run(scenario())


def test_a_connection_that_the_system_has_taken_is_not_reset() -> None:
    async def scenario() -> None:
        async with serving() as service:
            service.answer.set()
            clients = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(9)]
            for client in clients:
                client.sendall(LAST)
            await service.server.let_go(WAIT_S)
            for client in clients:
                with client:
                    client.settimeout(WAIT_S)
                    assert client.recv(10_000).endswith(b"done")

    asyncio.run(scenario())
