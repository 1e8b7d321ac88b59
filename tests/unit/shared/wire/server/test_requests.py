"""Requests with real sockets: their headers within limits, their turns at the loop."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest
from kits.slow_server import GET, LAST, serving
from tornado.iostream import IOStream, StreamClosedError, UnsatisfiableReadError
from tornado.web import RequestHandler

from shared.wire.server.attention import READ
from shared.wire.server.streams import WatchedStream


def test_a_header_of_very_many_fields_is_refused_in_words_however_short_they_are() -> None:
    async def scenario() -> None:
        async with serving() as service:
            service.answer.set()
            few, many = (
                b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a:\r\n" * count + b"\r\n" for count in (99, 100)
            )
            answer = await service.ask(few.replace(b"a:", b"Connection: close", 1))
            assert answer.startswith(b"HTTP/1.1 200 ")
            answer = await service.ask(many)
            assert answer.startswith(b"HTTP/1.1 431 ")
            assert b'"max_fields": 100' in answer
            assert service.long_headers == 1

    asyncio.run(scenario())


def test_connections_in_number_are_served_a_few_in_a_turn_and_all_in_the_end() -> None:
    async def scenario() -> None:
        async with serving() as service:
            service.answer.set()
            answers = await asyncio.gather(*(service.ask(3 * GET + LAST) for _ in range(40)))
            assert [answer.count(b"HTTP/1.1 200 ") for answer in answers] == [4] * 40
            assert service.server.attention.waiting() == 0

    asyncio.run(scenario())


def test_a_long_header_of_a_client_that_has_gone_is_counted_and_no_more() -> None:
    """The refusal finds that the connection was reset, and there is nothing left to read from."""

    async def scenario() -> None:
        refused = []
        with socket.create_server(("127.0.0.1", 0)) as listening:
            client = socket.create_connection(listening.getsockname())
            stream = WatchedStream(listening.accept()[0])
        stream.header_refused = lambda: refused.append(1)
        reading = stream.read_until_regex(b"\r\n\r\n", 100)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        stream.close(UnsatisfiableReadError())
        assert stream.closed()
        assert refused == [1]
        with pytest.raises(StreamClosedError):
            await reading

    asyncio.run(scenario())


class Body(RequestHandler):
    """Answers with the length of the body, which comes in any number of chunks."""

    def post(self) -> None:
        self.finish(str(len(self.request.body)))


def test_a_body_of_very_many_chunks_is_read_in_many_turns_and_by_others_turns() -> None:
    """All of it is there at once, so that no event of the socket says when to read on."""

    async def scenario() -> None:
        async with serving() as service:
            given: list[float] = []
            take = service.server.attention.take

            def noted(owner: str, cost: float) -> bool:
                given.append(cost)
                return take(owner, cost)

            service.server.attention.take = noted  # type: ignore[method-assign]
            service.server.request_callback.add_handlers(".*", [("/body", Body)])  # type: ignore[attr-defined]
            head = (
                b"POST /body HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            answers = await asyncio.gather(
                *(service.ask(head + b"1\r\nx\r\n" * 2000 + b"0\r\n\r\n") for _ in range(3))
            )
            assert [answer.rpartition(b"\r\n\r\n")[2] for answer in answers] == [b"2000"] * 3
            assert sum(given) > 3 * 2000 * 3 * READ
            assert max(given) < 20
            cut = head.replace(b"Transfer-Encoding: chunked", b"Content-Length: 200001") + bytes(200_000)
            reader, writer = await service.connect()
            writer.write(cut)
            writer.write_eof()  # never taken for the end of a request
            assert await reader.read() == b""
            writer.close()

    asyncio.run(scenario())


def test_a_connections_answers_go_at_once_from_its_first_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tornado's server asks for that at the end of each answer, and takes it back; each is a call of the system."""
    turned = []
    usual = IOStream.set_nodelay

    def spy(stream: IOStream, value: bool) -> None:
        usual(stream, value)
        turned.append(stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(IOStream, "set_nodelay", spy)

    async def scenario() -> None:
        async with serving() as service:
            service.answer.set()
            answers = await service.ask(3 * GET + LAST)
            assert answers.count(b"HTTP/1.1 200 ") == 4

    asyncio.run(scenario())
    assert turned == [1]
