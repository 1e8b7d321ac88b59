"""A cloud for the load generator: without sockets, or as much HTTP as the generator's connections need."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from bench.load.connection import ExchangeError

REQUEST = b"POST /model HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"


class FakeCloud:
    """Answers requests with the next of `statuses`, then with 200; holds all answers while `open` is not set."""

    def __init__(self, statuses=(), *, service_s=0.0, close_after=None):
        self._statuses = list(statuses)
        self._service_s = service_s
        self._close_after = close_after
        self.open = asyncio.Event()
        self.open.set()
        self.connections = self.at_once = self.most_at_once = 0
        self._handlers = set()

    async def answer(self):
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self._service_s)
            await self.open.wait()
        finally:
            self.at_once -= 1
        return self._statuses.pop(0) if self._statuses else 200

    def connect(self, _url):
        """In place of `Connection`."""
        self.connections += 1
        return FakeConnection(self)

    async def stall(self, after_s, seconds):
        await asyncio.sleep(after_s)
        self.open.clear()
        await asyncio.sleep(seconds)
        self.open.set()

    async def _handle(self, reader, writer):
        self.connections += 1
        self._handlers.add(asyncio.current_task())
        answered = 0
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while self._close_after is None or answered < self._close_after:
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(4)
                status = await self.answer()
                writer.write(b"HTTP/1.1 %d Any\r\nContent-Length: 2\r\n\r\n{}" % status)
                await writer.drain()
                answered += 1
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    @asynccontextmanager
    async def serving(self):
        """Its URL."""
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        try:
            yield urlsplit(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        finally:
            server.close()
            self.open.set()
            await asyncio.gather(*self._handlers)


class FakeConnection:
    def __init__(self, cloud):
        self._cloud = cloud

    async def ask(self, _request, timeout_s):
        try:
            async with asyncio.timeout(timeout_s):
                return await self._cloud.answer()
        except TimeoutError as error:
            raise ExchangeError(str(error)) from None

    def close(self):
        pass


@pytest.fixture
def request_bytes():
    return REQUEST


@pytest.fixture
def fake_cloud():
    return FakeCloud
