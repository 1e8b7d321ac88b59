"""A broker that knows as much of MQTT as an edge's events need, and fails when it is told to. For measuring and for tests.

What it acknowledges it has noted before. Of a connection that breaks it publishes the will.
"""

from __future__ import annotations

import contextlib
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.soak.events.listener import Listener

if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import Callable

_CONNECT, _CONNACK, _PUBLISH, _PUBACK, _PINGREQ, _PINGRESP, _DISCONNECT = 1, 2, 3, 4, 12, 13, 14
MQTT_5, MQTT_3 = 5, 4
BAD_LOGIN = {MQTT_5: 134, MQTT_3: 4}
TAKEN_OVER = 142


@dataclass
class Told:
    """What a client says when it connects."""

    version: int = 0
    client_id: str = ""
    keep_alive_s: int = 0
    will: tuple[str, bytes] | None = None
    user: str | None = None
    password: bytes | None = None


class _Packet:
    """Takes the fields of a packet, one after another."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, count: int = 2) -> int:
        return int.from_bytes(self.take(count), "big")

    def block(self) -> bytes:
        return self.take(self.number())

    def text(self) -> str:
        return self.block().decode()

    def properties(self, version: int) -> None:
        """Skip them."""
        if version == MQTT_5:
            self.take(self.number(1))  # ours are shorter than 128 bytes

    def rest(self) -> bytes:
        return self._data[self._at :]


@dataclass
class Broker(Listener):
    """Speaks MQTT 5 and 3.1.1."""

    tls: ssl.SSLContext | None = None
    users: dict[str, bytes] = field(default_factory=dict)
    """User -> password; without any, everybody is let in."""
    port: int = 0
    connack: Callable[[Told], tuple[int, bytes]] = lambda _: (0, b"")
    """The reason that an allowed client is answered, and MQTT 5's properties of that answer."""
    judge: Callable[[str, bytes], int | None] = lambda _topic, _payload: 0
    """The reason that a message is acknowledged with; None: not at all."""
    received: list[tuple[str, bytes]] = field(default_factory=list)
    """Topic and payload of each message that was acknowledged without a failure, also of wills."""
    kept: dict[str, bytes] = field(default_factory=dict)
    clients: list[Told] = field(default_factory=list)
    """All that have connected."""
    pings: int = 0
    answers_pings: bool = True
    _server: asyncio.Server | None = None
    _open: dict[str, asyncio.StreamWriter] = field(default_factory=dict)
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    def cut(self) -> None:
        """Break every connection, as a network does."""
        for writer in list(self._open.values()):
            writer.transport.abort()

    def send(self, data: bytes) -> None:
        """Send every client these bytes, whatever they are."""
        for writer in self._open.values():
            writer.write(data)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told = Told()
        try:
            await self._talk(reader, writer, told)
        except (OSError, EOFError):
            if told.will and self._open.get(told.client_id) is writer:
                self._note(*told.will, keep=True)
        finally:
            if self._open.get(told.client_id) is writer:
                del self._open[told.client_id]
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, told: Told) -> None:
        while True:
            first = (await reader.readexactly(1))[0]
            packet = _Packet(await reader.readexactly(await _length(reader)))
            kind = first >> 4
            if kind == _CONNECT:
                _read_connect(packet, told)
                self._admit(told, writer)
            elif kind == _PUBLISH:
                topic, number = packet.text(), packet.number()
                packet.properties(told.version)
                self._take(
                    topic, packet.rest(), number, keep=bool(first & 1), to=writer, version=told.version
                )
            elif kind == _PINGREQ:
                self.pings += 1
                if self.answers_pings:
                    writer.write(bytes([_PINGRESP << 4, 0]))
            elif kind == _DISCONNECT:
                return
            await writer.drain()

    def _admit(self, told: Told, writer: asyncio.StreamWriter) -> None:
        self.clients.append(told)
        reason, properties = self.connack(told)
        if self.users and self.users.get(told.user or "") != told.password:
            reason = BAD_LOGIN[told.version]
        if not reason:
            if (before := self._open.get(told.client_id)) and told.version == MQTT_5:
                before.write(bytes([_DISCONNECT << 4, 1, TAKEN_OVER]))
                before.close()
            self._open[told.client_id] = writer
        extra = bytes([len(properties)]) + properties if told.version == MQTT_5 else b""
        writer.write(bytes([_CONNACK << 4, 2 + len(extra), 0, reason]) + extra)
        if reason:
            writer.close()

    def _take(
        self, topic: str, payload: bytes, number: int, *, keep: bool, to: asyncio.StreamWriter, version: int
    ) -> None:
        reason = self.judge(topic, payload)
        if reason is None:
            return
        if reason < 0x80:
            self._note(topic, payload, keep=keep)
        end = bytes([reason]) if version == MQTT_5 and reason else b""
        to.write(bytes([_PUBACK << 4, 2 + len(end)]) + struct.pack(">H", number) + end)

    def _note(self, topic: str, payload: bytes, *, keep: bool) -> None:
        self.received.append((topic, payload))
        if keep:
            self.kept[topic] = payload


def _read_connect(packet: _Packet, told: Told) -> None:
    packet.text()
    told.version, flags, told.keep_alive_s = packet.number(1), packet.number(1), packet.number()
    packet.properties(told.version)
    told.client_id = packet.text()
    if flags & 0x04:
        packet.properties(told.version)
        told.will = packet.text(), packet.block()
    told.user = packet.text() if flags & 0x80 else None
    told.password = packet.block() if flags & 0x40 else None


async def _length(reader: asyncio.StreamReader) -> int:
    total, shift = 0, 0
    while True:
        byte = (await reader.readexactly(1))[0]
        total |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return total
        shift += 7
