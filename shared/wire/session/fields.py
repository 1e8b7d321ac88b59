"""The fields of a session's messages: written one after another, and read with every length checked before anything is taken.

A message is one byte with its kind below and its flags above, its fields, and a CRC-32.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from shared.errors import LimitError, WireError
from shared.limits import MAX_UNDER_WAY
from shared.wire.session import varint
from shared.wire.session.messages import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.wire.frame import Bytes

CRC_BYTES = 4
LEAST_BYTES = 1 + CRC_BYTES
_CRC = struct.Struct("<I")
_KIND = 0x0F


class Reader:
    """Reads a message's fields in their order. Every method raises WireError where they are not what they should be."""

    def __init__(self, message: Bytes, before: int = 0) -> None:
        """`before`: the CRC that this message's begins with."""
        self._view = memoryview(message).cast("B")
        if len(self._view) < LEAST_BYTES:
            raise WireError(
                f"a message of a session has {LEAST_BYTES} bytes or more, this one {len(self._view)}"
            )
        self._end = len(self._view) - CRC_BYTES
        self.crc = int(_CRC.unpack_from(self._view, self._end)[0])
        if zlib.crc32(self._view[: self._end], before) != self.crc:
            raise WireError(
                "the CRC does not match: the message was damaged in transit, or is not the next one"
            )
        self._fields = self._view[: self._end]
        self._at = 1
        self.kind, self.flags = self._view[0] & _KIND, self._view[0] & ~_KIND

    def require_flags(self, known: int) -> None:
        """Refuse flags that this kind of message does not have."""
        if self.flags & ~known:
            raise WireError(f"unknown flags {self.flags & ~known:#x} of a message of kind {self.kind}")

    def number(self, most: int, what: str) -> int:
        """A number of 0 to `most`."""
        number = self._varint()
        if number > most:
            raise LimitError(f"{what} of {number} is above the limit of {most}", accepted={"max": most})
        return number

    def difference(self) -> int:
        """A difference of two numbers."""
        return varint.difference_of(self._varint())

    def bytes(self, length: int) -> memoryview:
        """So many bytes, as a view of the message."""
        if length > self._end - self._at:
            raise WireError(f"{length} bytes are said, {self._end - self._at} are left")
        start, self._at = self._at, self._at + length
        return self._view[start : self._at]

    def rest(self) -> memoryview:
        """All that is left, as a view of the message."""
        return self.bytes(self._end - self._at)

    def text(self, most: int, what: str) -> str:
        """A text that its length comes before, of at most so many bytes."""
        content = self.bytes(self.number(most, f"the length of {what}"))
        try:
            return str(content, "utf-8")
        except UnicodeDecodeError:
            raise WireError(f"{what} is not UTF-8") from None

    def numbers(self) -> tuple[int, ...]:
        """Numbers of frames, none of them twice."""
        found: list[int] = []
        last = -1
        for _ in range(self.number(MAX_UNDER_WAY, "a count of frames")):
            last = (last + 1 + self.number(NUMBERS - 1, "a frame's number")) % NUMBERS
            found.append(last)
        if len(set(found)) < len(found):
            raise WireError("the number of a frame is there twice")
        return tuple(found)

    def end(self) -> None:
        """Nothing may be left."""
        if self._at != self._end:
            raise WireError(f"{self._end - self._at} bytes after the last field of a message")

    def _varint(self) -> int:
        number, self._at = varint.read(self._fields, self._at)
        return number


def sealed(fields: Sequence[Bytes], before: int = 0) -> tuple[bytes, int]:
    """The message of these fields with its CRC, and that CRC. The fields are copied once."""
    crc = before
    for field in fields:
        crc = zlib.crc32(field, crc)
    return b"".join((*fields, _CRC.pack(crc))), crc


def packed_text(text: str, most: int, what: str) -> bytes:
    """A text with its length before it. Raises LimitError above `most` bytes, WireError for what is no Unicode."""
    try:
        content = text.encode()
    except UnicodeEncodeError:
        raise WireError(f"{what} is not UTF-8: {text[:80]!a}") from None
    if len(content) > most:
        raise LimitError(
            f"{what} of {len(content)} bytes is above the limit of {most}", accepted={"max_bytes": most}
        )
    return varint.packed(len(content)) + content


def packed_numbers(numbers: Iterable[int]) -> bytes:
    """Numbers of frames, each by what lies between it and the one before. Raises WireError for too many, or one twice."""
    given = tuple(numbers)
    if len(given) > MAX_UNDER_WAY or len(set(given)) < len(given):
        raise LimitError(f"{len(given)} numbers of frames; accepted: {MAX_UNDER_WAY}, each once")
    found, last = [varint.packed(len(given))], -1
    for number in given:
        require_number(number)
        found.append(varint.packed((number - last - 1) % NUMBERS))
        last = number
    return b"".join(found)


def require_number(number: int) -> int:
    """A frame's number, if it is one. Raises WireError."""
    if not 0 <= number < NUMBERS:
        raise WireError(f"the number {number} is no frame's; accepted: 0 to {NUMBERS - 1}")
    return number
