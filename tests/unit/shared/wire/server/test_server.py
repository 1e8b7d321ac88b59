"""The server with real sockets: half-closed clients, long headers, descriptors that run out."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, Any

import pytest
from kits.slow_server import GET, LAST, WAIT_S, Service, serving
from tornado.netutil import bind_sockets

from shared.wire.server.server import connections_allowed

if TYPE_CHECKING:
    import socket


def test_a_client_that_has_closed_its_sending_side_gets_its_answer() -> None:
    async def scenario() -> None:
        async with serving() as service:
            reader, writer = await service.connect()
            writer.write(GET)
            await asyncio.wait_for(service.entered.wait(), WAIT_S)
            writer.write_eof()
            interim = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_S)
            assert interim.startswith(
                b"HTTP/1.1 100 "
            )  # by which the server finds out whether anybody is there
            await asyncio.sleep(0)
            assert not service.gone.is_set()
            service.answer.set()
            answer = await asyncio.wait_for(reader.read(), WAIT_S)
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert answer.endswith(b"\r\n\r\ndone")
            writer.close()

    asyncio.run(scenario())


def test_a_client_that_closes_all_is_noticed_before_its_answer() -> None:
    async def scenario() -> None:
        async with serving() as service:
            _, writer = await service.connect()
            writer.write(GET)
            await asyncio.wait_for(service.entered.wait(), WAIT_S)
            writer.close()
            await asyncio.wait_for(service.gone.wait(), WAIT_S)
            service.answer.set()

    asyncio.run(scenario())


def test_a_header_that_is_too_long_is_refused_in_words() -> None:
    async def scenario() -> None:
        async with serving() as service:
            for size in (17_000, 70_000, 400_000):
                answer = await service.ask(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * size + b"\r\n\r\n")
                head, _, body = answer.partition(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 431 "), size
                assert b'"reason": "header_too_large"' in body
                assert f"Content-Length: {len(body)}".encode() in head
            assert service.long_headers == 3
            service.answer.set()
            assert (await service.ask(LAST)).startswith(b"HTTP/1.1 200 ")
            small = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: " + b"x" * 16_000 + b"\r\n\r\n"
            assert (await service.ask(small)).startswith(b"HTTP/1.1 200 ")
            chunk = b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 100
            assert b"431" not in await service.ask(chunk)
            assert service.long_headers == 3

    asyncio.run(scenario())


class Listening:
    """A listening socket whose system has no descriptors for some time."""

    def __init__(self, real: socket.socket, number: int) -> None:
        self.real, self.number, self.failing, self.tries = real, number, True, 0

    def accept(self) -> Any:
        self.tries += 1
        if self.failing:
            raise OSError(self.number, "Too many open files")
        return self.real.accept()

    def fileno(self) -> int:
        return self.real.fileno()

    def close(self) -> None:
        self.real.close()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_without_descriptors_accepting_pauses_and_goes_on(
    number: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        monkeypatch.setattr("shared.wire.server.server._PAUSE_S", 0.01)
        service = Service()
        (real,) = bind_sockets(0, "127.0.0.1")
        service.port = real.getsockname()[1]
        listening = Listening(real, number)
        service.server.add_sockets([listening])  # type: ignore[list-item]
        asking = asyncio.create_task(service.ask(LAST))
        async with asyncio.timeout(WAIT_S):
            while listening.tries < 3:
                await asyncio.sleep(0)
        assert service.closed[:3] == ["paused"] * 3
        listening.failing = False
        service.answer.set()
        assert (await asking).startswith(b"HTTP/1.1 200 ")
        service.server.stop()
        await service.server.close_all_connections()

    asyncio.run(scenario())
    assert len(caplog.records) == 1
    assert "no connection can be accepted" in caplog.text


def test_a_pause_outlives_the_server_without_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr("shared.wire.server.server._PAUSE_S", 0.0)
        service = Service()
        (real,) = bind_sockets(0, "127.0.0.1")
        service.port = real.getsockname()[1]
        service.server.add_sockets([Listening(real, errno.EMFILE)])  # type: ignore[list-item]
        _, writer = await service.connect()
        async with asyncio.timeout(WAIT_S):
            while not service.closed:
                await asyncio.sleep(0)
        service.server.stop()
        await service.server.close_all_connections()
        count = len(service.closed)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(service.closed) == count
        writer.close()

    asyncio.run(scenario())


def test_an_idle_connection_makes_room_and_those_above_all_limits_are_closed() -> None:
    async def scenario() -> None:
        async with serving(most=2) as service:
            (idle, first), (busy, second) = await service.connect(), await service.connect()
            second.write(GET)
            await asyncio.wait_for(service.entered.wait(), WAIT_S)
            third, last = await service.connect()
            assert await asyncio.wait_for(idle.read(), WAIT_S) == b""
            last.write(GET)
            async with asyncio.timeout(WAIT_S):
                while len(service.crowd) != 2 or service.closed != ["displaced"]:
                    await asyncio.sleep(0)
            service.answer.set()
            for reader in (busy, third):
                assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200 ")
            for writer in (first, second, last):
                writer.close()

    asyncio.run(scenario())


def test_accepting_waits_when_it_has_had_its_share_and_others_are_served_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses = [0.0, 1.0, 0.0]
    spent: list[float] = []

    class Share:
        def __init__(self, *_: float) -> None:
            """As generous as the test says."""

        def queue(self, seconds: float) -> float:
            spent.append(seconds)
            return pauses[min(len(spent), len(pauses)) - 1]

    async def scenario() -> None:
        monkeypatch.setattr("shared.wire.server.server.Rate", Share)
        async with serving() as service:
            service.answer.set()
            reader, writer = await service.connect()
            writer.write(GET)
            await asyncio.wait_for(reader.readuntil(b"done"), WAIT_S)
            assert (await service.ask(LAST)).startswith(b"HTTP/1.1 200 ")
            newcomer = asyncio.create_task(service.ask(LAST))  # after the second, there is a pause
            writer.write(GET)
            await asyncio.wait_for(reader.readuntil(b"done"), WAIT_S)
            assert len(spent) == 2, "nobody was accepted in the pause"
            assert (await newcomer).startswith(b"HTTP/1.1 200 ")
            assert len(spent) == 3
            assert min(spent) > 0
            writer.close()

    asyncio.run(scenario())


def test_connections_leave_descriptors_for_other_files(monkeypatch: pytest.MonkeyPatch) -> None:
    for soft, wanted, allowed in (
        (1024, 1024, 928),
        (1024, 100, 100),
        (256, 1024, 160),
        (64, 1024, 8),
        (-1, 5000, 5000),
    ):
        monkeypatch.setattr("resource.getrlimit", lambda _which, soft=soft: (soft, soft))
        assert connections_allowed(wanted) == allowed, (soft, wanted)
