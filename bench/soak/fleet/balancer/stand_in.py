"""A small balancer for machines without HAProxy: each request goes to the cloud with the fewest under way, as HAProxy's would.

A cloud that refuses the connection is left out until its `/readyz` answers; the request goes to another. A request whose cloud dies before its answer goes
to one other cloud. Without any cloud left the answer is a bare 503, as a proxy's.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self
from urllib.parse import SplitResult, urlsplit

from bench.load.connection import Connection, ExchangeError
from shared.limits import MAX_FRAME_BYTES

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator, Sequence

_CHECK_S = 0.5
_MAX_HEAD_BYTES = 16 << 10
_ANSWER_S = 30.0
_TRIES = 2
_NO_CLOUD = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
_PROBE = b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d{1,9})\r\n", re.IGNORECASE)


@dataclass
class _Cloud:
    url: SplitResult
    is_up: bool = True
    under_way: int = 0
    idle: list[Connection] = field(default_factory=list)

    async def ask(self, request: bytes) -> bytes:
        """Its whole answer, as far as light edges read it. Raises ExchangeError."""
        connection = self.idle.pop() if self.idle else Connection(self.url)
        self.under_way += 1
        try:
            response = await connection.exchange(request, _ANSWER_S)
        except ExchangeError:
            self.close()
            raise
        except asyncio.CancelledError:
            connection.close()
            raise
        finally:
            self.under_way -= 1
        if connection.is_open:
            self.idle.append(connection)
        named = f"SplitDNN-Cloud: {response.cloud}\r\n" if response.cloud else ""
        head = f"HTTP/1.1 {response.status} -\r\n{named}Content-Length: {len(response.body)}\r\n\r\n"
        return head.encode() + response.body

    def close(self) -> None:
        """What is idle; whatever one of them has met, the others have too."""
        for each in self.idle:
            each.close()
        self.idle.clear()


class StandIn:
    """Balances requests among clouds at these ports of this machine."""

    name = "the benchmark's own stand-in, as HAProxy is not there or not wanted"

    def __init__(self, clouds: Sequence[int]) -> None:
        self.port = 0
        self._clouds = [_Cloud(urlsplit(f"http://127.0.0.1:{port}")) for port in clouds]
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Self]:
        """Listen meanwhile."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_MAX_HEAD_BYTES)
        self.port = server.sockets[0].getsockname()[1]
        checking = asyncio.create_task(self._check())
        try:
            yield self
        finally:
            server.close()
            for task in (checking, *self._tasks):
                task.cancel()
            await asyncio.gather(checking, *self._tasks, return_exceptions=True)
            for cloud in self._clouds:
                cloud.close()
            await server.wait_closed()

    async def _check(self) -> None:
        while True:
            for cloud in self._clouds:
                if not cloud.is_up:
                    with contextlib.suppress(ExchangeError):
                        cloud.is_up = (await cloud.ask(_PROBE)).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(_CHECK_S)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            while True:
                writer.write(await self._answer(await _read_request(reader)))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, request: bytes) -> bytes:
        tried: list[_Cloud] = []
        while len(tried) < _TRIES:
            left = [each for each in self._clouds if each.is_up and each not in tried]
            if not left:
                break
            cloud = min(left, key=lambda each: each.under_way)
            # Last among equals the next time: they take turns.
            self._clouds.remove(cloud)
            self._clouds.append(cloud)
            tried.append(cloud)
            try:
                return await cloud.ask(request)
            except ExchangeError:
                cloud.is_up = False
        return _NO_CLOUD


async def _read_request(reader: StreamReader) -> bytes:
    """Head and body. Raises IncompleteReadError at the end, and for a request that is longer than any frame."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    size = int(length[1]) if length else 0
    if size > MAX_FRAME_BYTES:
        raise asyncio.IncompleteReadError(head, size)
    return head + await reader.readexactly(size)
