"""What a PNG holds: its picture, without what others wrote about it, all of whose check sums are right."""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from shared.errors import ContentError
from shared.limits import MAX_PICTURE_PIECES

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_HEADER = struct.Struct(">IIB")  # width, height, bits a sample
_PIXELS = struct.Struct(">IIB")  # width and height of a pixel, unit
_KEPT = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"))
_ANIMATION = b"acTL"
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""How many a pixel has, by the type of colour."""
_AT_ONCE = ((0, 0, 1, 1),)
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column and row, and the distances, of the passes of an interlaced picture."""
_AT_A_TIME = 1 << 18
_PIECE_BYTES = 1024
"""Bytes of a file for each of its further chunks: libpng writes 8 kB in each."""


class Png(NamedTuple):
    """One that is whole."""

    data: bytes
    """A PNG of nothing but the picture."""
    height: int
    width: int
    bits: int
    """How many a sample has."""
    exif: bytes


def read_png(data: bytes) -> Png:
    """Walk through `data`, which starts as a PNG does. Raises ContentError, a few words about `it`."""
    view, kept, exif = memoryview(data), [SIGNATURE], b""
    position, most = len(SIGNATURE), MAX_PICTURE_PIECES + len(data) // _PIECE_BYTES
    for _ in range(most):
        end = position + 12 + int.from_bytes(view[position : position + 4])
        if end > len(data) or position + 12 > len(data):
            raise ContentError("it is cut off")
        kind, body = bytes(view[position + 4 : position + 8]), view[position + 8 : end - 4]
        if zlib.crc32(view[position + 4 : end - 4]) != int.from_bytes(view[end - 4 : end]):
            raise ContentError("it is damaged")
        if (kind == b"IHDR") != (len(kept) == 1):
            raise ContentError("its header is not where it must be")
        if kind == _ANIMATION:
            raise ContentError("it is an animation; accepted: one picture")
        if kind == b"pHYs":
            _require_square(bytes(body))
        if kind == b"eXIf":
            exif = bytes(body)
        if kind in _KEPT:
            kept.append(data[position:end])
        if kind == b"IEND":
            return _png(kept, exif)
        position = end
    raise ContentError(f"it has more than {most} chunks")


def require_all_rows(data: bytes) -> None:
    """Raise ContentError if the compressed rows of a PNG, which `read_png` has looked at, are fewer than its header says.

    Pillow takes a stream that ends in good order for a whole picture, black where there was nothing: findings/pillow-a-png-short-of-rows-is-black-below.sh.
    Takes a third of the time of decoding, and little memory.
    """
    width, height, bits, colour, interlaced = struct.unpack_from(">IIBBxxB", data, 16)
    pixel = bits * _SAMPLES.get(colour, 0)
    passes = [
        (-(-(width - left) // across), -(-(height - top) // down))
        for left, top, across, down in (_ADAM7 if interlaced else _AT_ONCE)
    ]
    lacking = sum(
        rows * (1 + (pixel * columns + 7) // 8) for columns, rows in passes if min(columns, rows) > 0
    )
    stream, position = zlib.decompressobj(), len(SIGNATURE)
    try:
        while lacking > 0 and position < len(data):
            end = position + 12 + int.from_bytes(data[position : position + 4])
            stop = end - 4 if data[position + 4 : position + 8] == b"IDAT" else 0
            for at in range(position + 8, stop, _AT_A_TIME):  # what is left over is copied each time
                piece = data[at : min(at + _AT_A_TIME, stop)]
                while piece and not stream.eof and lacking > 0:
                    lacking -= len(stream.decompress(piece, _AT_A_TIME))
                    piece = stream.unconsumed_tail
            position = end
    except zlib.error:
        raise ContentError("it is damaged") from None
    if lacking > 0 or not pixel:
        raise ContentError("it has fewer rows than its header says")


def _png(kept: list[bytes], exif: bytes) -> Png:
    if len(kept[1]) != 25:
        raise ContentError("its header is damaged")
    width, height, bits = _HEADER.unpack_from(kept[1], 8)
    return Png(b"".join(kept), height, width, bits, exif)


def _require_square(body: bytes) -> None:
    """An edge makes pixels square that FFmpeg says are not, and its boxes are in that picture's pixels."""
    if len(body) != _PIXELS.size:
        return
    across, down, unit = _PIXELS.unpack(body)
    if unit == 0 and down and across != down:
        raise ContentError(f"its pixels are {across}:{down}; accepted: square ones")
