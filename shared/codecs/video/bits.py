"""Reads the headers of video bit by bit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shared.errors import ContentError

if TYPE_CHECKING:
    from shared.wire.frame import Bytes

_MOST_BYTES = 512
"""The beginning of a header that is read: more than H.264's eight scaling lists take before the size of the pictures, at the most 470."""
_MOST_ZEROS = 32
_START = re.compile(rb"\x00\x00\x01")
_MOST_UNITS = 1024
"""Units of one picture: a camera may send a slice for each row of blocks."""


class Bits:
    """The bits of a header, the highest of each byte first. Every method raises ContentError at the end."""

    def __init__(self, data: Bytes, name: str) -> None:
        data = bytes(data[:_MOST_BYTES])
        self._bits = f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}" if data else ""
        self._at = 0
        self._name = name

    def take(self, count: int) -> int:
        """The next `count` bits as a number."""
        begin, self._at = self._at, self._at + count
        if self._at > len(self._bits):
            raise ContentError(
                f"not a readable {self._name} picture: a header ends too early, or is too long"
            )
        return int(self._bits[begin : self._at], 2) if count else 0

    def number(self) -> int:
        """The next unsigned Exp-Golomb number, `ue(v)`."""
        most = self._at + _MOST_ZEROS + 1
        one = self._bits.find("1", self._at, most)
        if one < 0 and most <= len(self._bits):
            raise ContentError(f"not a readable {self._name} picture: a number in a header is too long")
        zeros = (one if one >= 0 else most) - self._at
        return self.take(2 * zeros + 1) - 1

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


def require_few(found: list[bytes], kinds: list[int], most: dict[int, int], name: str) -> None:
    """Raise ContentError for more units of a kind, none like another, than `most` has for it. Nothing in them is read for that."""
    for kind, few in most.items():
        count = len({unit for unit, own in zip(found, kinds, strict=True) if own == kind})
        if count > few:
            raise ContentError(
                f"an {name} picture with {count} units of the type {kind} is not accepted",
                accepted={"most": few},
            )


def joined(found: list[bytes]) -> bytes:
    """Such units as Annex B again."""
    return b"".join(b"\0\0\1" + unit for unit in found)


def unescaped(unit: bytes) -> bytes:
    """The beginning of a unit without the bytes that keep start codes out of it."""
    return unit[: 2 * _MOST_BYTES].replace(b"\0\0\3", b"\0\0")
