"""Whether a PNG is whole: its every chunk has a check sum."""

from __future__ import annotations

import zlib

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


def is_deep(data: bytes) -> bool:
    """Whether it has 16 bits a sample."""
    return data[24:25] == b"\x10"
