"""One client's connection: it carries one request at a time and knows an answer, a refusal and a loss apart."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from bench.load.connection import Connection, ExchangeError
from bench.load.peers.sending.answer import GRPC
from bench.load.peers.sending.v2 import METHOD

if TYPE_CHECKING:
    from bench.load.connection import Response

HOST = "127.0.0.1"
OK = 200
_UNREACHABLE = ("connect", "resolve")
_BROKEN = ("reset", "closed", "goaway", "aborted", "broken pipe")

_closing: set[asyncio.Task[None]] = set()


class UnreachableError(Exception):
    """Nobody took the connection, so nobody took the request."""


class Carrier(Protocol):
    """Carries one request at a time."""

    async def ask(self, data: bytes, timeout_s: float) -> tuple[int, bytes]:
        """Status, 200 for an answer, and the answer. Raises ExchangeError for what was sent and lost, UnreachableError for what was not sent."""

    def close(self) -> None:
        """End it, even with a request under way."""


class HttpCarrier:
    """HTTP/1.1, kept alive."""

    def __init__(self, port: int, path: str, content_type: str) -> None:
        self._connection = Connection(urlsplit(f"http://{HOST}:{port}"))
        self._head = f"POST {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nContent-Type: {content_type}\r\n"

    async def ask(self, data: bytes, timeout_s: float) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(timeout_s):
                await self._connection.open()
        except (OSError, TimeoutError) as error:
            raise UnreachableError(str(error)) from None
        head = f"{self._head}Content-Length: {len(data)}\r\n\r\n".encode("ascii")
        response: Response = await self._connection.exchange(head + data, timeout_s)
        return response.status, response.body

    def close(self) -> None:
        self._connection.close()


class GrpcCarrier:
    """gRPC, a channel of its own."""

    def __init__(self, port: int) -> None:
        import grpc  # only in a peer's environment

        self._grpc: Any = grpc
        options = [
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.initial_reconnect_backoff_ms", 50),
            ("grpc.min_reconnect_backoff_ms", 50),
            ("grpc.max_reconnect_backoff_ms", 100),
            ("grpc.enable_http_proxy", 0),
        ]
        self._channel = grpc.aio.insecure_channel(f"{HOST}:{port}", options=options)
        self._call = self._channel.unary_unary(METHOD)

    async def ask(self, data: bytes, timeout_s: float) -> tuple[int, bytes]:
        try:
            return OK, await self._call(data, timeout=timeout_s)
        except self._grpc.aio.AioRpcError as error:
            return _status_of(error.code().name, error.details() or ""), b""

    def close(self) -> None:
        task = asyncio.get_running_loop().create_task(self._channel.close())
        _closing.add(task)  # a task that nobody holds may never run
        task.add_done_callback(_closing.discard)


def _status_of(code: str, details: str) -> int:
    """The HTTP status nearest to a gRPC status that the server has sent. Raises as `Carrier.ask` does for one that the client made itself."""
    said = details.lower()
    if code == "UNAVAILABLE" and any(each in said for each in _UNREACHABLE) and "reset" not in said:
        raise UnreachableError(details)
    if code in ("CANCELLED", "DEADLINE_EXCEEDED") or (
        code == "UNAVAILABLE" and any(each in said for each in _BROKEN)
    ):
        raise ExchangeError(f"{code}: {details}")
    return {"UNAVAILABLE": 503, "RESOURCE_EXHAUSTED": 503, "INVALID_ARGUMENT": 400}.get(code, 500)


def carrier(protocol: str, port: int, path: str, content_type: str) -> Carrier:
    """A connection for one client, not yet open."""
    return GrpcCarrier(port) if protocol == GRPC else HttpCarrier(port, path, content_type)
