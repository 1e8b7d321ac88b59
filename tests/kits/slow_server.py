"""A bounded server whose only endpoint answers when it is told to."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from shared.wire.server.crowd import Crowd
from shared.wire.server.server import BoundedServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WAIT_S = 30.0


class Slow(RequestHandler):
    """Answers when it is told to, and says when its client has gone."""

    def initialize(self, service: Service) -> None:
        self.service = service

    async def get(self) -> None:
        self.service.entered.set()
        await self.service.answer.wait()
        self.finish("done")

    def on_connection_close(self) -> None:
        self.service.gone.set()


class Service:
    def __init__(self, **limits: Any) -> None:
        self.entered, self.answer, self.gone = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.closed: list[str] = []
        self.long_headers = 0
        self.crowd = Crowd(
            limits.get("most", 50),
            limits.get("most", 50),
            limits.get("write_timeout_s", 20.0),
            closed=lambda why, _owner: self.closed.append(why),
            header_refused=self._count,
        )
        self.server = BoundedServer(
            Application([("/", Slow, {"service": self})], log_function=lambda _handler: None),
            crowd=self.crowd,
            max_header_size=16 << 10,
        )
        self.port = 0

    def _count(self) -> None:
        self.long_headers += 1

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self, data: bytes) -> bytes:
        reader, writer = await self.connect()
        writer.write(data)
        answer = await asyncio.wait_for(reader.read(), WAIT_S)
        writer.close()
        return answer


@asynccontextmanager
async def serving(**limits: Any) -> AsyncIterator[Service]:
    service = Service(**limits)
    sockets = bind_sockets(0, "127.0.0.1")
    service.port = sockets[0].getsockname()[1]
    service.server.add_sockets(sockets)
    try:
        yield service
    finally:
        service.server.stop()
        await service.server.close_all_connections()
        assert len(service.crowd) == 0


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
