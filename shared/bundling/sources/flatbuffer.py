"""Tables of a flatbuffer, read by the numbers of their fields (https://flatbuffers.dev/internals).

What points out of the file or is longer than it may be raises ValueError.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mmap

_LONGEST = 1 << 20
"""Bytes of a text or of a vector of numbers."""
_OFFSET = "<I"


class Table:
    """A table in `data` that begins at byte `at`. A field that is absent is None, empty or its default."""

    def __init__(self, data: bytes | mmap.mmap, at: int) -> None:
        self._data = data
        self._at = at
        self._offsets = at - self._number(at, "<i")
        self._count = (self._number(self._offsets, "<H") - 4) // 2

    def number(self, field: int, form: str, default: int = 0) -> int:
        """An integer, as `struct` names its form (`<I`, `<b`)."""
        at = self._field(field)
        return default if at is None else self._number(at, form)

    def numbers(self, field: int, form: str) -> tuple[float, ...]:
        """A vector of numbers of this form."""
        form = f"<{self.length(field)}{form}"
        return struct.unpack(form, self.content(field, struct.calcsize(form)))

    def text(self, field: int) -> str:
        """UTF-8."""
        return self.content(field, self.length(field)).decode()

    def content(self, field: int, size: int) -> bytes:
        """The first `size` bytes of a vector."""
        at = self._vector(field)
        if at is None:
            return b""
        if not 0 <= size <= min(_LONGEST, len(self._data) - at - 4):
            raise ValueError(f"a vector of {size} bytes")
        return self._data[at + 4 : at + 4 + size]

    def length(self, field: int) -> int:
        """How many elements a vector has."""
        at = self._vector(field)
        return 0 if at is None else self._number(at, _OFFSET)

    def table(self, field: int) -> Table | None:
        """A table."""
        at = self._field(field)
        return None if at is None else Table(self._data, at + self._number(at, _OFFSET))

    def item(self, field: int, index: int) -> Table | None:
        """One of a vector of tables; None if it has fewer."""
        start = self._vector(field)
        if start is None or not 0 <= index < self._number(start, _OFFSET):
            return None
        at = start + 4 + 4 * index
        return Table(self._data, at + self._number(at, _OFFSET))

    def _vector(self, field: int) -> int | None:
        at = self._field(field)
        return None if at is None else at + self._number(at, _OFFSET)

    def _field(self, field: int) -> int | None:
        if field >= self._count:
            return None
        offset = self._number(self._offsets + 4 + 2 * field, "<H")
        return self._at + offset if offset else None

    def _number(self, at: int, form: str) -> int:
        if not 0 <= at <= len(self._data) - struct.calcsize(form):
            raise ValueError(f"an offset of {at} in {len(self._data)} bytes")
        (value,) = struct.unpack_from(form, self._data, at)
        return int(value)


def root(data: bytes | mmap.mmap, identifier: bytes) -> Table:
    """The outermost table of a flatbuffer of this kind (four letters)."""
    if data[4:8] != identifier:
        raise ValueError(f"{data[4:8]!r} is not {identifier!r}")
    return Table(data, *struct.unpack(_OFFSET, data[:4]))
