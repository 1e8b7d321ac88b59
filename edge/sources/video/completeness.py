"""Whether a file holds all that its container promises.

Containers with a head or an index say how long they are: MP4 and MOV (ISO/IEC 14496-12), Matroska and WebM (RFC 9559), AVI (RIFF), WMV
(ASF), FLV as most programs write it. A transport or program stream, raw H.264 and what was recorded as a live stream do not, and may end anywhere.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LARGEST = 1 << 62
_MOST_BOXES = 100_000  # a fragment has two
_EBML = bytes.fromhex("1a45dfa3")
_SEGMENT = bytes.fromhex("18538067")
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ISO_FIRST = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"moof", b"uuid")


def cut_off(path: Path) -> str:
    """What of the file is missing, in words; empty if nothing is, or if nobody can know."""
    try:
        with path.open("rb") as file:
            there = os.fstat(file.fileno()).st_size
            promised = _promised(file)
    except OSError:
        return ""
    return f"its last {promised - there} of {promised} bytes are missing" if promised > there else ""


def unreadable(path: Path) -> str:
    """Why a file cannot be opened, in words; empty if nothing of it tells."""
    try:
        with path.open("rb") as file:
            there = os.fstat(file.fileno()).st_size
            if not there:
                return "it is empty"
            boxes = list(_boxes(file)) if _is_iso(file) else []
    except OSError:
        return ""
    if boxes and not any(kind in {b"moov", b"moof"} and end <= there for kind, end in boxes):
        return "its index (moov) is missing: the recording was not finished, or its end is cut off"
    missing = cut_off(path)
    return missing and f"it is truncated, {missing}"


def _promised(file: BinaryIO) -> int:
    """How many bytes the container says that it has; 0 if it does not say."""
    head = _at(file, 0, 16)
    if _is_iso(file):
        return max((end for _, end in _boxes(file)), default=0)
    if head.startswith(_EBML):
        return _matroska_end(file)
    if head[:4] == b"RIFF":
        return max(_riff_ends(file), default=0)
    if head[:3] == b"FLV":
        return _flash_size(file)
    return _asf_size(file) if head == _ASF else 0


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _is_iso(file: BinaryIO) -> bool:
    return _at(file, 4, 4) in _ISO_FIRST


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """The kind and the end of each outermost box; one that goes on to the end of the file ends at 0."""
    offset = 0
    for _ in range(_MOST_BOXES):
        head = _at(file, offset, 16)
        size, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if len(head) < 8 or not kind.isalnum():
            return
        if size == 1:
            size = int.from_bytes(head[8:], "big")
        yield kind, offset + size if size else 0
        if size < 8:
            return
        offset += size


def _matroska_end(file: BinaryIO) -> int:
    _, head_size, start = _element(_at(file, 0, 32))
    kind, size, taken = _element(_at(file, start + head_size, 16))
    return start + head_size + taken + size if kind == _SEGMENT and size >= 0 else 0


def _element(data: bytes) -> tuple[bytes, int, int]:
    """The identifier of an EBML element, the size of its content (-1 if unknown), and where that begins."""
    after = _width(data)
    length = _width(data[after:])
    digits = data[after : after + length]
    size = int.from_bytes(digits, "big") & ((1 << 7 * length) - 1)
    unknown = not digits or size == (1 << 7 * length) - 1
    return data[:after], -1 if unknown else size, after + length


def _width(data: bytes) -> int:
    """How many bytes a number of variable length takes; 0 for none."""
    return 9 - data[0].bit_length() if data and data[0] else 0


def _riff_ends(file: BinaryIO) -> Iterator[int]:
    """Where each chunk ends; a large AVI has several, one after another."""
    offset = 0
    while (head := _at(file, offset, 8))[:4] == b"RIFF" and len(head) == 8:
        size = int.from_bytes(head[4:], "little")
        if not size:
            return
        offset += 8 + size + size % 2
        yield offset - size % 2


def _asf_size(file: BinaryIO) -> int:
    head = _at(file, 0, 1 << 16)
    at = head.find(_ASF_PROPERTIES)
    if at < 0 or len(head) < at + 104:
        return 0
    is_broadcast = head[at + 88] & 1  # then nothing here is filled in
    return 0 if is_broadcast else int.from_bytes(head[at + 40 : at + 48], "little")


def _flash_size(file: BinaryIO) -> int:
    """What the metadata call `filesize`, a number as ActionScript writes it."""
    head = _at(file, 0, 1 << 16)
    at = head.find(b"\0\x08filesize\0")
    if at < 0 or len(head) < at + 19:
        return 0
    (size,) = struct.unpack(">d", head[at + 11 : at + 19])
    return int(size) if 0 < size < _LARGEST else 0
