"""Whether a PNG is whole: its every chunk has a check sum."""

from __future__ import annotations

import zlib
from fractions import Fraction

from edge.sources.pictures.unreadable import UnreadableError, refuse_huge

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def refuse_damaged(data: bytes) -> None:
    """Raise UnreadableError if the PNG `data` is not whole, or too large."""
    refuse_huge(int.from_bytes(data[16:20]), int.from_bytes(data[20:24]))
    view, position = memoryview(data), len(SIGNATURE)
    while position + 12 <= len(data):
        end = position + 12 + int.from_bytes(view[position : position + 4])
        if end > len(data):
            break
        kind = bytes(view[position + 4 : position + 8])
        if zlib.crc32(view[position + 4 : end - 4]) != int.from_bytes(view[end - 4 : end]):
            raise UnreadableError("it is damaged")
        if kind == b"IEND":
            return
        position = end
    raise UnreadableError("it is cut off")


def pixel_aspect(data: bytes) -> Fraction | None:
    """How many times as wide as high its pixels are; None where it does not say.

    FFmpeg notes the shape of a video's pixels in the stills that it makes of it: in the chunk `pHYs`, without a unit, as width to height.
    Players read it so too, although by the standard (PNG, third edition, 11.3.4.3) it would be the other way round.
    """
    at = data.find(b"\0\0\0\x09pHYs", 0, max(data.find(b"IDAT"), 0))
    across, down, unit = data[at + 8 : at + 12], data[at + 12 : at + 16], data[at + 16 : at + 17]
    if at < 0 or unit != b"\0" or not any(down):
        return None
    return Fraction(int.from_bytes(across), int.from_bytes(down))


def is_deep(data: bytes) -> bool:
    """Whether it has 16 bits a sample."""
    return data[24:25] == b"\x10"
