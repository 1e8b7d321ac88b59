"""Which way up a picture is, as its EXIF says.

Pillow's reader takes all that is there, tag by tag, in Python; this one looks for a single tag.
"""

from __future__ import annotations

from typing import Literal

_ORIENTATION = 0x0112
_SHORT = 3
_ENTRY_BYTES = 12
_MOST_ENTRIES = 1024
_ORDERS: dict[bytes, Literal["little", "big"]] = {b"II*\0": "little", b"MM\0*": "big"}

UPRIGHT = 1


def orientation_of(exif: bytes) -> int:
    """1 to 8, as EXIF numbers them; 1, upright, where `exif`, which begins with a TIFF's header, says nothing that makes sense."""
    order = _ORDERS.get(exif[:4])
    if order is None:
        return UPRIGHT
    at = int.from_bytes(exif[4:8], order)
    count = int.from_bytes(exif[at : at + 2], order)
    for entry in range(at + 2, at + 2 + _ENTRY_BYTES * min(count, _MOST_ENTRIES), _ENTRY_BYTES):
        tag, kind = (int.from_bytes(exif[place : place + 2], order) for place in (entry, entry + 2))
        if tag == _ORIENTATION and kind == _SHORT:
            value = int.from_bytes(exif[entry + 8 : entry + 10], order)
            return value if 1 <= value <= 8 else UPRIGHT
    return UPRIGHT
