"""Zeros at the end of a compressed picture, in place of data that never came.

Whoever makes room for a file before its data come, as some uploaders and file systems do, leaves zeros where they stopped, and the
decoders of these formats take zeros for data.
"""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from edge.sources.pictures import jpeg2000
from edge.sources.pictures.unreadable import UnreadableError

_ZEROS = 64
"""So many are looked at."""
_MOST_BOXES = 1000


def refuse_unfinished(data: bytes, kind: str) -> None:
    """Raise UnreadableError if the compressed data of a picture in the format `kind`, as Pillow names it, end in zeros.

    What follows the picture in its file may be zeros.
    """
    unfinished = {"WEBP": _unfinished_webp, "AVIF": _unfinished_avif, "JPEG2000": _unfinished_jpeg2000}.get(
        kind
    )
    if unfinished and unfinished(data):
        raise UnreadableError("it is cut off")


def _unfinished_webp(data: bytes) -> bool:
    """A picture that is black below may end in zeros: but then it needs each of them."""
    size = int.from_bytes(data[4:8], "little")
    data = data[: 8 + size]
    at = 12
    while (end := at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")) < len(data) - 1:
        at = end + end % 2
    if not data.endswith(bytes(_ZEROS)) or data[at : at + 4] not in {b"VP8 ", b"VP8L"}:
        return False
    fewer = (len(data) - _ZEROS * 3 // 4) & ~1
    shorter = bytearray(data[:fewer])
    shorter[4:8] = (fewer - 8).to_bytes(4, "little")
    shorter[at + 4 : at + 8] = (fewer - at - 8).to_bytes(4, "little")
    try:
        Image.open(BytesIO(shorter), formats=("WEBP",)).tobytes()
    except Exception:  # noqa: BLE001 - readers raise anything
        return False
    return True


def _unfinished_avif(data: bytes) -> bool:
    """AV1 codes what is the same all over in so few bytes that no picture ends in zeros."""
    at = 0
    for _ in range(_MOST_BOXES):
        size = int.from_bytes(data[at : at + 4])
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16])
        if not size or not data[at + 4 : at + 8].isalnum():
            break
        at += size
    return data[: at or None].endswith(bytes(_ZEROS))


def _unfinished_jpeg2000(data: bytes) -> bool:
    """It has an end marker, which is nowhere else in it."""
    return data.find(jpeg2000.END, data.find(jpeg2000.CODESTREAM)) < 0
