"""The cloud as an attacker reaches it: connections, requests with its own valid token, and frames that the cloud would take."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import urllib.request
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from bench.load.connection import Connection, ExchangeError
from shared.codecs import encode_frame, make_codec
from shared.security.tls.context import TLSFiles, client_context
from shared.wire import frame as wire
from shared.wire.http import CONTENT_TYPE

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

_TIMEOUT_S = 60.0
_CODEC = "int8+zstd"


@dataclass
class Target:
    """One cloud. What is sent is counted in `sent`, by the answer's status."""

    url: str
    token: str
    ca: str | None = None
    """File of the CA that signed the cloud's certificate; None without TLS."""
    sent: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.parts = urlsplit(self.url)
        self.tls: ssl.SSLContext | None = client_context(TLSFiles(authority=self.ca)) if self.ca else None
        asked = urllib.request.Request(f"{self.url}/model", headers={"Authorization": f"Bearer {self.token}"})
        self.runner = asyncio.Runner()
        self.lasting: list[Connection] = []
        """Connections on the runner's loop that nobody uses at present."""
        with urllib.request.urlopen(asked, timeout=_TIMEOUT_S, context=self.tls) as answer:
            self.model: dict[str, Any] = json.load(answer)

    @property
    def fingerprint(self) -> bytes:
        return bytes.fromhex(self.model["fingerprint"])

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of what crosses, at each split point where it is one tensor."""
        found = {name: tuple(shape) for name, shape in self.model["split_points"].items()}
        return {name: shape for name, shape in found.items() if shape and isinstance(shape[0], int)}

    def request(
        self, method: str, path: str, body: bytes = b"", kind: str = "", *, token: str | None = None
    ) -> bytes:
        """A whole HTTP request. `kind` is the media type of its body."""
        return self.header(method, path, len(body), kind, token=token) + body

    def header(
        self, method: str, path: str, size: int = 0, kind: str = "", *, token: str | None = None
    ) -> bytes:
        """The header of a request with a body of so many bytes."""
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {self.parts.netloc}",
            f"Authorization: Bearer {token or self.token}",
        ]
        lines += [f"Content-Type: {kind}"] if kind else []
        lines += [f"Content-Length: {size}"] if size or method != "GET" else []
        return "\r\n".join([*lines, "", ""]).encode("ascii")

    def frame(self, point: str) -> wire.Frame:
        """A frame of zeros at this split point."""
        nothing = np.zeros(self.shapes[point], np.float32)
        return encode_frame(
            [nothing], make_codec(_CODEC), split_point=point, fingerprint=self.fingerprint, frame_id=1
        )  # fmt: skip

    def post(self, frame: wire.Frame | bytes) -> bytes:
        """The request that brings a frame; one that is not packed yet gets a random id."""
        if not isinstance(frame, bytes):
            frame = wire.pack(replace(frame, frame_id=random.getrandbits(64)))
        return self.request("POST", "/model", frame, CONTENT_TYPE)

    def connection(self) -> Connection:
        """For one request after another; it is opened when it is used."""
        return Connection(self.parts, self.tls)

    async def ask(self, connection: Connection, request: bytes, rest_s: float = 0.0) -> int:
        """The status of the answer, 0 for none; after anything but a success pause for `rest_s` seconds."""
        try:
            status = await connection.ask(request, _TIMEOUT_S)
        except ExchangeError:
            status = 0
        self.sent[str(status)] += 1
        if not 200 <= status < 400:
            await asyncio.sleep(rest_s or (0.0 if status else 0.01))
        return status

    async def repeat(self, connections: int, make: Callable[[], bytes], rest_s: float = 0.0) -> None:
        """Ask again and again on so many connections, each what `make` gives next, as soon as it has its answer."""

        async def one() -> None:
            connection = self.connection()
            try:
                while True:
                    await self.ask(connection, make(), rest_s)
            finally:
                connection.close()

        await together(connections, one)

    async def open(self, buffer: int | None = None, *, tls: bool = True) -> Held:
        """A connection of its own, closed when the attack ends; `buffer` is how many bytes of answers the system keeps."""
        raw = socket.socket()
        raw.setblocking(False)
        if buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        try:
            await asyncio.get_running_loop().sock_connect(
                raw, (self.parts.hostname or "", self.parts.port or 80)
            )
            context = self.tls if tls else None
            reader, writer = await asyncio.open_connection(
                sock=raw, limit=1 << 16, ssl=context, server_hostname=self.parts.hostname if context else None
            )
        except BaseException:
            raw.close()
            raise
        return Held(reader, writer)


@dataclass(frozen=True)
class Held:
    """An open connection of which nothing is read unless one asks."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def stay(self) -> None:
        """Until the other side closes; what it says is dropped."""
        await self.reader.read()

    def close(self) -> None:
        self.writer.transport.abort()


async def together(count: int, one: Callable[[], Awaitable[None]]) -> None:
    """So many at once, each begun again when it ends, until cancelled."""

    async def again() -> None:
        while True:
            with contextlib.suppress(OSError, EOFError):
                await one()
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(again())
