"""A connection's stream, in plain or under TLS: what Tornado's leave to whoever runs a server.

- A client may close its sending side once its request is complete (`shutdown`, or curl behind some proxies), and still gets
  its answer. TCP does not tell that apart from a client that has gone, so the client is asked: an interim response (RFC 9110, 15.2,
  which every HTTP/1.1 client must bear) makes a host on which nobody has the connection any more answer with a reset.
- A header that is too long, or has too many fields, is refused with 431, where Tornado closes the connection without a word.
- It is known how long nothing of an answer was taken.
- Its events and requests have their turn at the event loop, with those of others (attention.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from tornado.iostream import IOStream, SSLIOStream, StreamClosedError, UnsatisfiableReadError

from shared.limits import MAX_REQUEST_HEADER_FIELDS
from shared.wire.server.attention import EVENT, HEADER_BYTE, READ, READ_BYTE, REQUEST

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared.wire.server.attention import Attention

_STILL_THERE = b"HTTP/1.1 100 Continue\r\n\r\n"
_MALFORMED = b"HTTP/1.1 400 Bad Request\r\n"
"""How Tornado itself answers what is no HTTP."""
_FIRST_LOOK_S, _LAST_LOOK_S = 0.02, 1.0
_MOST_LINES = MAX_REQUEST_HEADER_FIELDS + 2  # the first one of a header, and the empty one
_TOO_LONG = b'{"error": "the header is longer than %d bytes", "reason": "header_too_large", "accepted": {"max_bytes": %d}}'
_TOO_MANY = b'{"error": "the header has more than %d fields", "reason": "header_too_large", "accepted": {"max_fields": %d}}'
_DRAIN_BYTES = 1 << 20
"""What is read and dropped of a refused header: closing a connection with bytes unread resets it, and the refusal is lost."""


class _Watched:
    """What both kinds of stream share; a mixin that comes before Tornado's class."""

    header_refused: Callable[[], None] = staticmethod(lambda: None)
    """Called when a header is refused for its length."""
    fields = b""
    """Lines of a header that are added to the answers which no handler gives."""
    written = 0
    """Bytes of answers that the system has taken; grows while the client reads."""
    half_closed = False
    """Whether the client has closed its sending side, with a request complete."""
    upgraded = False
    """Whether it speaks no HTTP any more, but what a request has asked for (WebSocket): the end of what the client sends is its end."""
    idle_since_s: float | None = None
    """Since when it waits for a request's header, by `time.monotonic`; None while it is busy with a request."""
    attention: Attention | None = None
    """Where its events and requests wait; None: nowhere."""
    owner = ""
    """Whose it is, as far as it is known."""

    _header_bytes: int | None = None  # the limit, while a header is being read
    _held = False  # whether an event waits
    _waits = False  # whether a read does
    _work = 0.0  # of reads, since it last had its turn
    _asked = 0  # bytes to write, all in all
    _is_prompt = False  # whether small packets go at once

    # What Tornado's streams have; they come after this class in the order of bases.
    if TYPE_CHECKING:
        socket: socket.socket
        io_loop: Any
        closed: Callable[[], bool]
        reading: Callable[[], bool]
        _state: int | None

    def read_until_regex(self, regex: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        """Tornado's server reads nothing but headers in this way: the result is there when it is this request's turn."""
        self._header_bytes, self.idle_since_s = max_bytes, time.monotonic()
        future: asyncio.Future[bytes] = super().read_until_regex(regex, max_bytes)  # type: ignore[misc]
        result: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        future.add_done_callback(partial(self._header_read, result))
        return result

    def _header_read(self, result: asyncio.Future[bytes], future: asyncio.Future[bytes]) -> None:
        self._header_bytes = self.idle_since_s = None
        if future.cancelled() or result.done():
            result.cancel()
        elif error := future.exception():
            result.set_exception(error)
        elif future.result().count(b"\n") > _MOST_LINES:
            self._refuse_header(_TOO_MANY, MAX_REQUEST_HEADER_FIELDS)
            super().close()  # type: ignore[misc]
            result.set_exception(StreamClosedError())
        else:
            let_in = partial(self._let_in, result, future.result())
            cost = REQUEST + HEADER_BYTE * len(future.result())
            if self.attention is None or self.attention.take(self.owner, cost):
                let_in()
            else:
                self.attention.wait(self.owner, cost, let_in)

    def _let_in(self, result: asyncio.Future[bytes], header: bytes) -> None:
        if result.done():
            return
        if self.closed():
            result.set_exception(StreamClosedError())
        else:
            result.set_result(header)

    def set_nodelay(self, value: bool) -> None:
        """Once for a connection: Tornado's server turns it on for each answer and off after it."""
        if value and not self._is_prompt:
            self._is_prompt = True
            super().set_nodelay(value)  # type: ignore[misc]

    def read_until(self, delimiter: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        """Tornado's server reads the lengths of chunks in this way."""
        return self._in_turn(0, partial(super().read_until, delimiter, max_bytes))  # type: ignore[misc]

    def read_bytes(self, num_bytes: int, partial: bool = False) -> Awaitable[bytes]:
        """And bodies in this one."""
        parent = super()
        return self._in_turn(num_bytes, lambda: parent.read_bytes(num_bytes, partial))  # type: ignore[attr-defined]

    def charge(self, cost: float) -> None:
        """What was read has cost so much; its next read waits for it."""
        self._work += cost

    def _in_turn(self, size: int, read: Callable[[], asyncio.Future[bytes]]) -> asyncio.Future[bytes]:
        """What is there already is read without an event of the socket, so it has to have its turn as well."""
        self._work += READ + READ_BYTE * size
        if self.attention is None or self._work < EVENT:
            return read()
        cost, self._work = self._work, 0.0
        if self.attention.take(self.owner, cost):
            return read()
        result: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waits = True
        self.attention.wait(self.owner, cost, partial(self._read_on, result, read))
        return result

    def _read_on(self, result: asyncio.Future[bytes], read: Callable[[], asyncio.Future[bytes]]) -> None:
        self._waits = False
        if result.done():
            return
        try:
            read().add_done_callback(partial(_pass_on, result))
        except StreamClosedError as error:
            result.set_exception(error)

    def _handle_events(self, fd: Any, events: int) -> None:
        """Tornado's, when it is this connection's turn."""
        if (
            self.attention is None
            or self.closed()
            or (not self._held and self.attention.take(self.owner, EVENT))
        ):
            super()._handle_events(fd, events)  # type: ignore[misc]
        else:
            self.io_loop.update_handler(fd, 0)  # it would be ready in every turn until then
            if not self._held:
                self._held = True
                self.attention.wait(self.owner, EVENT, partial(self._go_on, fd, events))

    def _go_on(self, fd: Any, events: int) -> None:
        self._held = False
        if not self.closed() and self._state is not None:
            self.io_loop.update_handler(fd, self._state)
            super()._handle_events(fd, events)  # type: ignore[misc]

    def unread_bytes(self) -> int:
        """Bytes that wait in this process until the client reads."""
        return self._asked - self.written

    def write(self, data: bytes | memoryview) -> Awaitable[None]:
        """Write when the client reads."""
        if self.fields and data == _MALFORMED + b"\r\n":
            data = _MALFORMED + self.fields + b"Connection: close\r\nContent-Length: 0\r\n\r\n"
        self._asked += len(data)
        return super().write(data)  # type: ignore[misc,no-any-return]

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """Bytes read; 0 at the end of what the client sends, which is not the connection's end while a request is being answered."""
        count: int | None = super().read_from_fd(buf)  # type: ignore[misc]
        if count != 0 or self.reading() or self._waits or self.upgraded:
            return count
        if self.half_closed:
            return None
        # An empty line, which may stand before a request: with something unread Tornado no longer looks at the socket, which would be
        # ready for ever. The next request's header is then read from here, and finds the end.
        self.half_closed = True
        self.write(_STILL_THERE)
        self._look_later(_FIRST_LOOK_S)
        memoryview(buf)[:1] = b"\n"
        return 1

    def write_to_fd(self, data: memoryview) -> int:
        """Bytes that the system took."""
        count: int = super().write_to_fd(data)  # type: ignore[misc]
        self.written += count
        return count

    def close(self, exc_info: Any = False) -> None:
        """Close the connection; a header that is too long is refused first."""
        if isinstance(exc_info, UnsatisfiableReadError) and self._header_bytes and not self.closed():
            limit, self._header_bytes = self._header_bytes, None
            self._refuse_header(_TOO_LONG, limit)
        super().close(exc_info)  # type: ignore[misc]

    def _refuse_header(self, text: bytes, limit: int) -> None:
        self.header_refused()  # first, so that whoever reads the refusal finds it counted
        body = text % (limit, limit)
        head = b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: application/json; charset=UTF-8\r\n"
        self.write(head + self.fields + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        self._drain()

    def _drain(self) -> None:
        buffer, left = bytearray(65536), _DRAIN_BYTES
        with contextlib.suppress(OSError):  # writing may have found the connection reset, and closed it
            while left > 0 and not self.closed() and (count := super().read_from_fd(buffer)):  # type: ignore[misc]
                left -= count

    def _look_later(self, delay_s: float) -> None:
        self.io_loop.call_later(delay_s, self._look, delay_s)

    def _look(self, delay_s: float) -> None:
        """Close the connection if the client's host has reset it."""
        if self.closed():
            return
        if self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.close()
        else:
            self._look_later(min(2 * delay_s, _LAST_LOOK_S))


def _pass_on(result: asyncio.Future[bytes], future: asyncio.Future[bytes]) -> None:
    if future.cancelled() or result.done():
        result.cancel()
    elif error := future.exception():
        result.set_exception(error)
    else:
        result.set_result(future.result())


class WatchedStream(_Watched, IOStream):  # type: ignore[misc]
    """A plain connection."""


class WatchedTlsStream(_Watched, SSLIOStream):  # type: ignore[misc]
    """A connection under TLS."""
