"""One keep-alive connection of the load generator: raw asyncio, as every layer more would take CPU from the cloud."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bench.load.http_response import Response, ResponseError, ResponseReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from urllib.parse import SplitResult


class ExchangeError(Exception):
    """A request has no answer: refused, cut off, not understood, or not in time."""


class Connection:
    """One request at a time. Opened by the first one, and again by the next after it was lost."""

    def __init__(self, url: SplitResult) -> None:
        self._host, self._port = url.hostname or "127.0.0.1", url.port or 80
        self._stream: _Stream | None = None

    async def ask(self, request: bytes, timeout_s: float) -> int:
        """Send these bytes, header and body; the answer's status. Raises ExchangeError."""
        try:
            async with asyncio.timeout(timeout_s):
                if self._stream is None or self._stream.lost:
                    loop = asyncio.get_running_loop()
                    _, self._stream = await loop.create_connection(_Stream, self._host, self._port)
                response = await self._stream.ask(request)
        except (OSError, ResponseError, TimeoutError) as error:
            self.close()
            raise ExchangeError(str(error) or type(error).__name__) from None
        if not response.keep_alive:
            self.close()
        return response.status

    def close(self) -> None:
        """Lose the connection, whatever is under way on it."""
        stream, self._stream = self._stream, None
        if stream:
            stream.transport.abort()


class _Stream(asyncio.Protocol):
    """From connect to close; a new connection is a new stream, so that a late event cannot touch it."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.lost = False
        self._reader = ResponseReader()
        self._answer: asyncio.Future[Response] | None = None

    async def ask(self, request: bytes) -> Response:
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        try:
            return await self._answer
        finally:
            self._answer = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._settle(lambda: self._reader.feed(data))

    def eof_received(self) -> bool:
        self.lost = True
        self._settle(self._reader.end)
        return False  # the transport closes itself

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._fail(exc or ConnectionError("the server closed the connection"))

    def _settle(self, read: Callable[[], Response | None]) -> None:
        try:
            response = read()
        except ResponseError as error:
            self._fail(error)
        else:
            if response and self._answer and not self._answer.done():
                self._answer.set_result(response)

    def _fail(self, error: Exception) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(error)
