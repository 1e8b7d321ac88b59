"""Reads the headers of video bit by bit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shared.errors import ContentError

if TYPE_CHECKING:
    from shared.wire.frame import Bytes

_MOST_BYTES = 4096
"""The beginning of a header that is looked at. The size of the pictures stands in the first hundred."""
_MOST_ZEROS = 32
_START = re.compile(rb"\x00\x00\x01")
_MOST_UNITS = 1024
"""Units of one picture: a camera may send a slice for each row of blocks."""


class Bits:
    """The bits of a header, the highest of each byte first. Every method raises ContentError at the end."""

    def __init__(self, data: Bytes, name: str) -> None:
        data = bytes(data[:_MOST_BYTES])
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)
        self._name = name

    def take(self, count: int) -> int:
        """The next `count` bits as a number."""
        if count > self._left:
            raise ContentError(f"not a readable {self._name} picture: a header ends too early")
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def number(self) -> int:
        """The next unsigned Exp-Golomb number, `ue(v)`."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > _MOST_ZEROS:
                raise ContentError(f"not a readable {self._name} picture: a number in a header is too long")
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        """The next signed Exp-Golomb number, `se(v)`."""
        number = self.number()
        return (number + 1) // 2 if number % 2 else -(number // 2)


def units(payload: bytes, name: str) -> list[bytes]:
    """The NAL units of Annex B (ITU-T H.264, H.265), without start codes and the zeros around them. Raises ContentError."""
    starts = []
    for match in _START.finditer(payload):
        starts.append(match.start())
        if len(starts) > _MOST_UNITS:
            raise ContentError(f"an {name} picture of more than {_MOST_UNITS} units is not accepted")
    if not starts or payload[: starts[0]].strip(b"\0"):
        raise ContentError(f"not a readable {name} picture: it does not begin with a start code")
    ends = [*starts[1:], len(payload)]
    found = [payload[start + 3 : end].rstrip(b"\0") for start, end in zip(starts, ends, strict=True)]
    if not all(found):
        raise ContentError(f"not a readable {name} picture: a unit is empty")
    return found


def joined(found: list[bytes]) -> bytes:
    """Such units as Annex B again."""
    return b"".join(b"\0\0\1" + unit for unit in found)


def unescaped(unit: bytes) -> bytes:
    """The beginning of a unit without the bytes that keep start codes out of it."""
    return unit[:_MOST_BYTES].replace(b"\0\0\3", b"\0\0")
