"""One keep-alive connection of the load generator, with as much of HTTP/1.1 as it needs to find an answer's end.

An answer's body is not parsed: that would take CPU from what is measured.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import ssl
    from urllib.parse import SplitResult

MAX_HEADER_BYTES = 16 << 10
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_CLOUD = b"splitdnn-cloud"
_STATUS = re.compile(rb"HTTP/1\.([01]) (\d{3})(?: |\r\n)")


class ExchangeError(Exception):
    """A request has no answer: refused, cut off, not understood, or not in time."""


class Response(NamedTuple):
    """One complete answer."""

    status: int
    keep_alive: bool
    """Whether the connection may carry another request."""
    body: bytes = b""
    cloud: str = ""
    """The id of the cloud that answered; empty where the answer names none, as a balancer's own."""


async def read_response(reader: asyncio.StreamReader) -> Response:
    """The next answer. Raises ExchangeError for bytes that are none, or too few."""
    try:
        status = 100
        while status < 200:  # 100 Continue and its like come before the answer
            header = await reader.readuntil(b"\r\n\r\n")
            first = _STATUS.match(header)
            if not first:
                raise ExchangeError(f"not an HTTP answer: {header[:40]!r}")
            version, status = int(first[1]), int(first[2])
        lines = (line.partition(b":") for line in header.split(b"\r\n")[1:])
        fields = {name.strip().lower(): value.strip() for name, _, value in lines}
        if b"transfer-encoding" in fields:
            raise ExchangeError("Transfer-Encoding is not supported")
        wish = fields.get(b"connection", b"").lower()
        keep_alive = wish != b"close" if version == 1 else wish == b"keep-alive"
        length = b"0" if status in (204, 304) else fields.get(b"content-length")
        cloud = fields.get(_CLOUD, b"").decode("ascii", "replace")
        if length is None:
            return Response(status, keep_alive=False, body=await reader.read(), cloud=cloud)
        if not length.isdigit():
            raise ExchangeError(f"Content-Length {length[:20]!r}")
        body = await reader.readexactly(int(length))
    except asyncio.IncompleteReadError:
        raise ExchangeError("the connection ended within an answer") from None
    except asyncio.LimitOverrunError:
        raise ExchangeError("a header without an end") from None
    return Response(status, keep_alive, body, cloud)


class Connection:
    """One request at a time. Opened by the first one, and again by the next after it was lost."""

    def __init__(
        self, url: SplitResult, context: ssl.SSLContext | None = None, *, source: str | None = None
    ) -> None:
        """With `context`, by TLS. `source`: the own address to come from."""
        self._from = (source, 0) if source else None
        self._host = url.hostname or "127.0.0.1"
        self._port = url.port or (443 if context else 80)
        self._context = context
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.opened = 0
        """How often it was opened."""

    async def ask(self, request: bytes, timeout_s: float) -> int:
        """Send these bytes, header and body; the answer's status. Raises ExchangeError."""
        return (await self.exchange(request, timeout_s)).status

    async def exchange(self, request: bytes, timeout_s: float) -> Response:
        """The same, and the whole answer."""
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await self.open()
                writer.write(request)
                response = await read_response(reader)
        except (OSError, TimeoutError, ExchangeError) as error:
            self.close()
            raise ExchangeError(str(error) or type(error).__name__) from None
        if not response.keep_alive:
            self.close()
        return response

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection that there is, or a new one. Raises OSError."""
        if self._streams and (self._streams[0].at_eof() or self._streams[0].exception()):
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                self._host, self._port, limit=MAX_HEADER_BYTES, ssl=self._context, local_addr=self._from
            )
            self.opened += 1
        return self._streams

    @property
    def is_open(self) -> bool:
        """Whether there is one, as far as is known."""
        return self._streams is not None

    def close(self) -> None:
        """Abort the connection, even with a request under way."""
        streams, self._streams = self._streams, None
        if streams:
            streams[1].transport.abort()

    def leave(self, *, reset: bool) -> None:
        """Go within a request: by a reset, or in order, which with TLS takes a farewell."""
        streams, self._streams = self._streams, None
        if not streams:
            return
        writer = streams[1]
        if not reset:
            writer.close()
            return
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        writer.transport.abort()
