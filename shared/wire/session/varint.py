"""Whole numbers in as few bytes as they need: LEB128, seven bits a byte, the lowest first; only the shortest form is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.errors import WireError

if TYPE_CHECKING:
    from shared.wire.frame import Bytes

MAX_BYTES = 10
BITS = 64
_MORE = 0x80


def packed(number: int) -> bytes:
    """The number, of 0 to 2^64 - 1, as 1 to MAX_BYTES bytes. Raises WireError for any other."""
    if not 0 <= number < 1 << BITS:
        raise WireError(f"the number {number} does not fit into {BITS} bits")
    if number < _MORE:  # nearly all are
        return bytes((number,))
    found = bytearray()
    while number >= _MORE:
        found.append(number & (_MORE - 1) | _MORE)
        number >>= 7
    found.append(number)
    return bytes(found)


def read(data: Bytes, start: int) -> tuple[int, int]:
    """The number that begins at `start`, and where the next field begins. Raises WireError."""
    number = 0
    for place, byte in enumerate(data[start : start + MAX_BYTES]):
        number |= (byte & (_MORE - 1)) << 7 * place
        if byte < _MORE:
            if (not byte and place) or number >= 1 << BITS:
                raise WireError(
                    f"a number of {place + 1} bytes that is not in its shortest form, or too large"
                )
            return number, start + place + 1
    raise WireError("a number that does not end")


def zigzag(difference: int) -> int:
    """A number of 0 or more for every difference: 0, -1, 1, -2, 2 … become 0, 1, 2, 3, 4 …"""
    return 2 * difference if difference >= 0 else -2 * difference - 1


def difference_of(number: int) -> int:
    """The difference that became this number by `zigzag`."""
    return (number >> 1) ^ -(number & 1)


def turn(number: int, size: int) -> int:
    """The number modulo `size`, as the shortest way round: -size / 2 up to, and without, size / 2."""
    return (number + size // 2) % size - size // 2
