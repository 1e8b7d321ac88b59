"""An HTTP proxy before a cloud that can misbehave: it refuses requests, or answers one byte at a time."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

_BUSY = b'{"error": "too many", "reason": "busy", "accepted": null}'
_TRICKLE_S = 0.05
_START_S = 5


class Relay:
    """Forwards each connection's requests one after another, in a thread of its own. It misbehaves for `POST` only."""

    def __init__(self, port: int) -> None:
        """`port` is the cloud's."""
        self.mood = "forward"
        """`forward`; `busy`: 503 at once; or `trickle`: the cloud's answer, a byte at a time. Read at each request."""
        self.rude = 0
        """Requests for which it misbehaved."""
        self._cloud_port = port
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="relay", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(_START_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(_START_S)
        assert not self._thread.is_alive()

    async def _run(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stopping.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            while True:
                await self._answer(await read_message(reader), writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            if not self._stopping.is_set():
                raise
        finally:
            writer.close()

    async def _answer(self, request: bytes, writer: StreamWriter) -> None:
        mood = self.mood if request.startswith(b"POST") else "forward"
        self.rude += mood != "forward"
        if mood == "busy":
            writer.write(
                b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(_BUSY), _BUSY)
            )
        else:
            answer = await self._ask(request)
            if mood == "trickle":
                for byte in answer:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(_TRICKLE_S)
            else:
                writer.write(answer)
        await writer.drain()

    async def _ask(self, request: bytes) -> bytes:
        """Ask the cloud on a connection of its own: slow, and simple."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._cloud_port)
        try:
            writer.write(request)
            return await read_message(reader)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def read_message(reader: StreamReader) -> bytes:
    """Read the head and body of a request or an answer that declares its length."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            length = int(value)
    return head + await reader.readexactly(length)
