"""A request's body while it arrives."""

from __future__ import annotations

_PIECE_BYTES = 256 << 10
"""Bodies are kept in pieces of about this size: one that grows to megabytes would be copied again and again."""


class Body:
    """The bytes so far, in pieces, and when they came. For any thread once it is complete."""

    def __init__(self) -> None:
        self.pieces: list[bytearray] = []
        self.size = 0
        """Bytes so far."""
        self._first: tuple[int, float] | None = None  # the first piece's bytes, and when it came
        self._last_s = 0.0

    def add(self, chunk: bytes, at_s: float) -> None:
        """Take what came `at_s` seconds after the request's header."""
        if self._first is None:
            self._first = len(chunk), at_s
        if not self.pieces or len(self.pieces[-1]) >= _PIECE_BYTES:
            self.pieces.append(bytearray())
        self.pieces[-1] += chunk
        self.size += len(chunk)
        self._last_s = at_s

    def whole(self) -> bytes | bytearray:
        """All of it in one piece; for megabytes that is a copy, and for a thread."""
        return self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)

    def received(self) -> dict[str, float]:
        """Bytes after the first piece, and the milliseconds in which they came: the throughput of the link.

        The first piece came together with the header, however large it is.
        """
        first_bytes, first_s = self._first or (self.size, self._last_s)
        return {"bytes": self.size - first_bytes, "ms": round(1e3 * (self._last_s - first_s), 3)}

    def release(self) -> None:
        """Free the bytes, even if a decoding that waits for its thread still refers to this body."""
        self.size = 0
        self.pieces = []
