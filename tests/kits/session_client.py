"""An edge of a session that blocks: it sends what it is told to, byte by byte if need be, and reads what comes."""

from __future__ import annotations

import base64
import os
import struct
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from kits.cloud import WAIT_S, Connection, Server

from shared.wire.frame import unpack
from shared.wire.session.edge import EdgeConnection
from shared.wire.session.messages import SUBPROTOCOL, Answered, Hello, Refused, Welcome

if TYPE_CHECKING:
    import ssl

    from shared.wire.frame import Frame
    from shared.wire.session.messages import FromCloud

CONTINUED, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
DEADLINE_MS = 20_000


def upgrade(**fields: str | None) -> bytes:
    """A request for a session; a field that is None is left out."""
    given: dict[str, str | None] = {
        "Host": "cloud",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
        "Sec-WebSocket-Protocol": SUBPROTOCOL,
    }
    given |= {name.replace("_", "-"): value for name, value in fields.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value is not None)
    return f"GET /session HTTP/1.1\r\n{lines}\r\n".encode()


def masked(data: bytes, opcode: int = BINARY, *, final: bool = True, declared: int | None = None) -> bytes:
    """A frame of the WebSocket, as clients send it; `declared`: its length, if that is not true."""
    size, mask = len(data) if declared is None else declared, os.urandom(4)
    head = bytes([0x80 * final | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 1 << 16:
        head += struct.pack("!BH", 0x80 | 126, size)
    else:
        head += struct.pack("!BQ", 0x80 | 127, size)
    key = np.frombuffer((mask * (len(data) // 4 + 1))[: len(data)], np.uint8)
    return head + mask + (np.frombuffer(data, np.uint8) ^ key).tobytes()


class At(Protocol):
    """Where a session is opened."""

    port: int

    def turned(self) -> None:
        """Wait until what was answered is counted."""


class Talk:
    """One connection, greeted unless it is told not to."""

    def __init__(
        self,
        server: Server | At,
        *,
        hello: Hello | None = None,
        greet: bool = True,
        question: str = "top=5",
        first: int = 0,
        source: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
        **fields: str | None,
    ) -> None:
        self.server = server
        self.edge = EdgeConnection(first)
        self.connection = Connection(server, source)
        if tls:
            self.connection.socket = tls.wrap_socket(self.connection.socket, server_hostname="127.0.0.1")
            self.connection._file = self.connection.socket.makefile("rb")
        self.connection.send(upgrade(**fields))
        self._file = self.connection._file
        self.status = int(self._file.readline().split()[1])
        self.headers = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode().partition(":")
            self.headers[name.lower()] = value.strip()
        self.closed: tuple[int, str] | None = None
        self.welcome: Welcome | None = None
        if hello is None:
            assert isinstance(server, Server), (
                "where that is no server of this process, say what is said first"
            )
            hello = Hello(server.service.network.model.fingerprint, question, DEADLINE_MS)
        self.first_hello = hello
        if greet:
            assert self.status == 101, self.status
            self.send(self.edge.hello(self.first_hello))
            welcome = self.read()
            assert isinstance(welcome, Welcome), welcome
            self.welcome = welcome

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.connection.close()

    def send(self, message: bytes) -> None:
        self.connection.send(masked(message))

    def frame(
        self, frame: Frame | bytes, stream: int = 0, *, timings: bool = False, number: int | None = None
    ) -> int:
        """Send a frame; its number."""
        whole = unpack(frame) if isinstance(frame, bytes) else frame
        given, messages = self.edge.frame(whole, stream, timings=timings, number=number)
        self.connection.send(b"".join(map(masked, messages)))
        return given

    def ask(self, frame: Frame | bytes, stream: int = 0, *, timings: bool = False) -> Answered | Refused:
        """What is said of a frame."""
        number = self.frame(frame, stream, timings=timings)
        said = self.read()
        assert isinstance(said, Answered | Refused), said
        assert said.number == number
        return said

    def read(self) -> FromCloud | None:
        """The next thing that the cloud says; None at the end of the connection."""
        opcode, data = self.read_frame()
        if opcode == BINARY:
            return self.edge.received(data)
        if opcode == CLOSE:
            self.closed = (struct.unpack("!H", data[:2])[0], data[2:].decode()) if data else (1005, "")
        return None

    def read_frame(self) -> tuple[int, bytes]:
        """The opcode and content of the WebSocket's next frame; pings are left out."""
        while True:
            head = self._file.read(2)
            if len(head) < 2:
                return -1, b""
            opcode, size = head[0] & 15, head[1]
            if size == 126:
                (size,) = struct.unpack("!H", self._file.read(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self._file.read(8))
            data = self._file.read(size)
            if opcode not in (PING, PONG):
                self.server.turned()
                return opcode, data

    def ends(self) -> tuple[int, str] | None:
        """Code and text with which the cloud closes the connection."""
        self.connection.socket.settimeout(WAIT_S)
        try:
            while self.read() is not None:
                pass
        except ConnectionResetError:
            pass
        return self.closed

    def break_off(self) -> None:
        """The network is gone."""
        self.connection.close()


def resuming(talk: Talk, *unanswered: int) -> Hello:
    """The hello of a connection that goes on with this one's session."""
    assert talk.welcome
    hello = talk.first_hello
    return Hello(hello.fingerprint, hello.question, hello.deadline_ms, talk.welcome.session, unanswered)


def metric(server: Server, name: str, **labels: Any) -> float:
    """A metric of sessions."""
    return server.metric(f"session_{name}", **labels)
