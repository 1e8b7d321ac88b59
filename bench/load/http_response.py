"""As much of HTTP/1.1 as the load generator reads: where an answer ends, and its status.

Sans-I/O: bytes in, answers out. The body is counted and dropped; parsing it would take CPU from what is measured.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MAX_HEADER_BYTES = 16 << 10
_END = b"\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.([01]) (\d{3})(?: |\r\n)")


class ResponseError(Exception):
    """These bytes are not an answer that is understood here."""


@dataclass(frozen=True, slots=True)
class Response:
    """One complete answer."""

    status: int
    keep_alive: bool
    """Whether the connection may carry another request."""


class ResponseReader:
    """One answer after another from one connection, never two at a time: there is no pipelining."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._left: int | None = 0  # bytes of the body; None: until the connection ends
        self._head: Response | None = None

    def feed(self, data: bytes) -> Response | None:
        """The answer, if these bytes are its last ones. Raises ResponseError."""
        if self._head is None:
            self._header += data
            data = self._read_header()
        if self._head is None or self._left is None:
            return None
        self._left -= len(data)
        if self._left < 0:
            raise ResponseError("more bytes than the answer's Content-Length")
        return self._finish() if self._left == 0 else None

    def end(self) -> Response | None:
        """The connection has ended: the answer that this completes. Raises ResponseError if one is cut off."""
        if self._head and self._left is None:
            return self._finish()
        if self._head or self._header:
            raise ResponseError("the connection ended within an answer")
        return None

    def _read_header(self) -> bytes:
        """Take the header from what has come, if it is whole; the bytes after it."""
        while self._head is None:
            end = self._header.find(_END)
            if end < 0:
                if len(self._header) > _MAX_HEADER_BYTES:
                    raise ResponseError("a header without an end")
                return b""
            header, rest = bytes(self._header[: end + 2]), bytes(self._header[end + len(_END) :])
            self._header = bytearray()
            self._parse(header)
            if self._head is None:  # 100 Continue and its like come before the answer
                self._header += rest
        return rest

    def _parse(self, header: bytes) -> None:
        first = _STATUS.match(header)
        if not first:
            raise ResponseError(f"not an HTTP answer: {header[:40]!r}")
        version, status = int(first[1]), int(first[2])
        if status < 200:
            return
        fields = _fields(header)
        if b"transfer-encoding" in fields:
            raise ResponseError("Transfer-Encoding is not read here")
        wish = fields.get(b"connection", b"").lower()
        keep_alive = wish != b"close" if version == 1 else wish == b"keep-alive"
        length = fields.get(b"content-length")
        if status in (204, 304):
            self._left = 0
        elif length is None:
            self._left, keep_alive = None, False
        elif length.isdigit():
            self._left = int(length)
        else:
            raise ResponseError(f"Content-Length {length[:20]!r}")
        self._head = Response(status, keep_alive)

    def _finish(self) -> Response:
        head, self._head, self._left = self._head, None, 0
        assert head is not None
        return head


def _fields(header: bytes) -> dict[bytes, bytes]:
    """Names in lower case; of a repeated one the last."""
    lines = header.split(b"\r\n")[1:]
    pairs = (line.partition(b":") for line in lines if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
