"""As much of HTTP/1.1 as the load generator reads: where an answer ends, and its status.

Sans-I/O: bytes in, answers out. The body is counted and dropped; parsing it would take CPU from what is measured.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_MAX_HEADER_BYTES = 16 << 10
_END = b"\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.([01]) (\d{3})(?: |\r\n)")


class ResponseError(Exception):
    """These bytes are not an answer that the reader understands."""


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
        self._head: Response | None = None
        self._left: float = 0  # bytes of the body; infinity: until the connection ends

    def feed(self, data: bytes) -> Response | None:
        """The answer, if these bytes are its last ones. Raises ResponseError."""
        while self._head is None:  # an answer, or 100 Continue and its like before it
            self._header += data
            header, end, data = bytes(self._header).partition(_END)
            if not end:
                if len(self._header) > _MAX_HEADER_BYTES:
                    raise ResponseError("a header without an end")
                return None
            self._header.clear()
            self._parse(header + b"\r\n")
        self._left -= len(data)
        if self._left < 0:
            raise ResponseError("more bytes than the answer's Content-Length")
        return self._finish() if self._left == 0 else None

    def end(self) -> Response | None:
        """The connection has ended: the answer that this completes. Raises ResponseError if one is cut off."""
        if self._head and math.isinf(self._left):
            return self._finish()
        if self._head or self._header:
            raise ResponseError("the connection ended within an answer")
        return None

    def _parse(self, header: bytes) -> None:
        first = _STATUS.match(header)
        if not first:
            raise ResponseError(f"not an HTTP answer: {header[:40]!r}")
        version, status = int(first[1]), int(first[2])
        if status < 200:
            return
        lines = (line.partition(b":") for line in header.split(b"\r\n")[1:])
        fields = {name.strip().lower(): value.strip() for name, _, value in lines}
        if b"transfer-encoding" in fields:
            raise ResponseError("Transfer-Encoding is not supported")
        wish = fields.get(b"connection", b"").lower()
        keep_alive = wish != b"close" if version == 1 else wish == b"keep-alive"
        length = b"0" if status in (204, 304) else fields.get(b"content-length")
        if length is not None and not length.isdigit():
            raise ResponseError(f"Content-Length {length[:20]!r}")
        self._left = math.inf if length is None else int(length)
        self._head = Response(status, keep_alive and length is not None)

    def _finish(self) -> Response:
        head, self._head = self._head, None
        assert head is not None
        return head
