"""A server of one connection after another that leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib

import pytest


class Server:
    """Calls `answer(head, body, writer)` for each request; false ends the connection, as does the end of the server."""

    def __init__(self, answer):
        self._answer = answer
        self._tasks, self._writers = set(), set()
        self.port = 0

    async def start(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self):
        """Take no more connections, and abort those that there are."""
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def stop(self):
        """The same, and wait until all requests have been treated."""
        self.cut()
        tasks = list(self._tasks)
        done, left = await asyncio.wait(tasks, timeout=60) if tasks else (set(), set())
        assert not left
        for task in done:
            task.result()

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        self._writers.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                body = await reader.readexactly(int(length or 0))
                if not await self._answer(head, body, writer):
                    break
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.fixture
def server():
    return Server
