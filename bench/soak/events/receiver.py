"""A webhook's receiver that checks signatures, and fails when it is told to. For measuring and for tests.

What it answers with 2xx it has noted before.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.soak.events.listener import Listener

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request is answered with; status 0: nothing, and the connection is cut."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    wait_s: float = 0.0
    cut: bool = False
    """It is noted as its status says, and then nothing is answered."""


@dataclass(frozen=True, slots=True)
class Request:
    """One that came."""

    line: str
    headers: Mapping[str, str]
    """By their names in small letters."""
    body: bytes


@dataclass
class Receiver(Listener):
    """Speaks as much of HTTP/1.1 as a webhook needs."""

    key: bytes
    tls: ssl.SSLContext | None = None
    port: int = 0
    judge: Callable[[Request], Reply] = lambda _: Reply()
    received: list[Request] = field(default_factory=list)
    """Those that were answered with 2xx."""
    requests: int = 0
    unsigned: int = 0
    """Requests without a signature by `key`, which are answered with 401."""
    connections: int = 0
    _server: asyncio.Server | None = None
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    def cut(self) -> None:
        """End all that is being answered."""
        for task in self._serving:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
                while await self._answer(reader, writer):
                    await writer.drain()
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether another may follow."""
        line, *fields = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in fields)}
        request = Request(line, headers, await reader.readexactly(int(headers.get("content-length", "0"))))
        self.requests += 1
        reply = self.judge(request)
        if not self._is_signed(request):
            self.unsigned += 1
            reply = Reply(401)
        if reply.wait_s:
            await asyncio.sleep(reply.wait_s)
        if not reply.status:
            return False
        if 200 <= reply.status < 300:
            self.received.append(request)
        if reply.cut:
            return False
        length = {} if reply.status == 204 else {"Content-Length": str(len(reply.body))}
        head = [f"HTTP/1.1 {reply.status} Whatever", *map(": ".join, ({**length, **reply.headers}).items())]
        writer.write("\r\n".join([*head, "", ""]).encode() + reply.body)
        return True

    def _is_signed(self, request: Request) -> bool:
        said = request.headers
        content = b".".join(
            [said.get("webhook-id", "").encode(), said.get("webhook-timestamp", "").encode(), request.body]
        )
        made = base64.b64encode(hmac.digest(self.key, content, hashlib.sha256)).decode()
        return f"v1,{made}" in said.get("webhook-signature", "").split(" ")
