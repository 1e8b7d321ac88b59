"""An HTTP proxy on 127.0.0.1: passes requests on, and connects clients with https servers."""

from __future__ import annotations

import asyncio
import contextlib
import re

_URL = re.compile(rb"http://([^/]+)(/\S*)")


class Proxy:
    """`asked` are the first lines of what came, `logins` the values of its `Proxy-Authorization`; `refusal` is answered instead."""

    def __init__(self):
        self.asked = []
        self.logins = []
        self.refusal = None

    async def serve(self, reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            line, *fields = head.split(b"\r\n")
            self.asked.append(line.decode())
            found = {name.lower(): value for name, _, value in (each.partition(b": ") for each in fields)}
            self.logins.append(found.get(b"proxy-authorization", b"").decode())
            method, url, _ = line.split(b" ")
            if self.refusal:
                writer.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % self.refusal)
            elif method == b"CONNECT":
                await self._join(reader, writer, url, b"", b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                host, path = _URL.fullmatch(url).groups()
                rest = [each for each in fields if not each.lower().startswith((b"proxy-", b"connection"))]
                head = b"\r\n".join([b"%s %s HTTP/1.1" % (method, path), b"Connection: close", *rest])
                await self._join(reader, writer, host, head, b"")
        writer.close()

    async def _join(self, reader, writer, host, upwards, downwards):
        name, _, port = host.decode().rpartition(":")
        there, back = await asyncio.open_connection(name, int(port))
        back.write(upwards)
        writer.write(downwards)
        await asyncio.gather(_copy(reader, back), _copy(there, writer), return_exceptions=True)


async def _copy(reader, writer):
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def a_proxy():
    """A running one; `url` is its own, without user and password."""
    proxy = Proxy()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    proxy.url = f"http://127.0.0.1:{proxy.port}"
    try:
        yield proxy
    finally:
        server.close()
