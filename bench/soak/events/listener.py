"""What broker and receiver have in common: a port that is closed and opened again, and connections that are cut."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl


class Listener(ABC):
    """Listens from `start` until `stop`, and again. Used from one event loop."""

    tls: ssl.SSLContext | None
    port: int
    _server: asyncio.Server | None
    _serving: set[asyncio.Task[None]]

    async def start(self) -> Self:
        """Listen, on the same port each time."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        """Listen no more, and cut all connections."""
        if self._server:
            self._server.close()
        self.cut()
        await asyncio.gather(*self._serving, return_exceptions=True)

    @abstractmethod
    def cut(self) -> None:
        """Break every connection, as a network does."""

    @abstractmethod
    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        await self._serve(reader, writer)
