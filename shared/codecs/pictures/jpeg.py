"""What a JPEG holds: its picture, without what others wrote about it, and whether all of its scans are there.

Decoders fill up what is missing of a JPEG that ends with its end marker, so scans and restart intervals are counted here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING

from shared.errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Callable

_MARKER = re.compile(rb"\xff([^\x00\xff])")
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_RESTARTS = [bytes((0xFF, code)) for code in range(0xD0, 0xD8)]
_END = 0xD9
_SCAN = 0xDA
_INTERVAL = 0xDD
_HUFFMAN = {0xC0, 0xC1, 0xC2}
_ARITHMETIC = {0xC9, 0xCA}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_KNOWN = {*range(0xC0, 0xD0), *range(0xDA, 0xDE), *range(0xE0, 0xF0), 0xFE} - {0xC8}
"""Before the first scan decoders refuse all others, of which Pillow first reads some byte by byte."""
_METADATA = {*range(0xE0, 0xF0), 0xFE}
_COLOURS = {0xE0: b"JFIF\0", 0xEE: b"Adobe"}
"""Segments of applications that say what the colours are."""
_EXIF = b"Exif\0\0"
_STEP = 1 << 18
"""Bytes that are looked through at once: it holds the interpreter, and of some files a megabyte takes ten milliseconds."""
_ALL = 16
_ZEROS = 64

END_MARKER = b"\xff\xd9"
CUT_OFF = "it is cut off"
_DAMAGED = "its headers are damaged"


@dataclass(slots=True)
class _Frame:
    kind: int
    width: int
    height: int
    sampling: dict[int, tuple[int, int]]
    """By the number of the component: horizontal and vertical."""
    bits_left: dict[int, list[int]]
    """How many bits no scan has brought yet, of each component's 64 coefficients."""

    def add_scan(self, body: bytes) -> None:
        """Note what a scan of these parameters brings."""
        count = body[0]
        first, last, bits = body[1 + 2 * count : 4 + 2 * count]
        for component in body[1 : 1 + 2 * count : 2]:
            self.bits_left[component][first : last + 1] = [bits & 15] * (last + 1 - first)

    @property
    def lacks_scans(self) -> bool:
        return self.kind in _HUFFMAN | _ARITHMETIC and any(any(each) for each in self.bits_left.values())

    def units(self, components: bytes) -> int:
        """How many units a restart interval is counted in a scan of these components has."""
        most = [max(each[axis] for each in self.sampling.values()) for axis in (0, 1)]
        if len(components) > 1:
            return ceil(self.width / (8 * most[0])) * ceil(self.height / (8 * most[1]))
        own = self.sampling[components[0]]
        across = ceil(ceil(self.width * own[0] / most[0]) / 8)
        return across * ceil(ceil(self.height * own[1] / most[1]) / 8)


@dataclass(slots=True)
class Jpeg:
    """One that has all of its scans."""

    kept: list[bytes] = field(default_factory=list)
    """Its pieces in order, without what others wrote about the picture, the end marker, and what follows that."""
    colours: list[bytes] = field(default_factory=list)
    """Those of the pieces left out that say what the colours are."""
    height: int = 0
    width: int = 0
    scans: int = 0
    huffman: bool = True
    """Whether it is coded as nearly all are."""
    ended: bool = False
    """Whether its end marker is there."""
    exif: bytes = b""
    """The first of those, without the words before its header."""

    def whole(self) -> bytes:
        """A JPEG of nothing but the picture."""
        return b"".join([self.kept[0], *self.colours, *self.kept[1:], END_MARKER])


def read_jpeg(data: bytes, *, most_pieces: int, most_scans: int) -> Jpeg:
    """Walk through `data`, which starts as a JPEG does. Raises ContentError, a few words about `it`, if it is not whole.

    An end marker that is missing is no damage if the picture is there, as some cameras leave it out.
    """
    try:
        return _read(data, most_pieces, most_scans)
    except (IndexError, KeyError, ValueError, ZeroDivisionError):
        raise ContentError(_DAMAGED) from None


def ends_in_zeros_that_do_not_matter(data: bytes, refuses: Callable[[bytes], bool]) -> bool:
    """Whether a JPEG's last scan ends in zeros that stand in for data that are missing. `refuses`: whether a decoder lacks some.

    To a decoder zeros are codes like others: if there are more than it needs, it makes a picture. Where they are right, as at
    the end of a picture that is black below, each of them is needed; where they only fill up a whole picture, none is.
    """
    last = data.removesuffix(END_MARKER)
    needed = last.rstrip(b"\0")
    if len(last) - len(needed) < _ZEROS:
        return False
    needed += b"\0" * needed.endswith(b"\xff")  # which means the byte 255
    fewer = last[: len(last) - _ZEROS * 3 // 4]
    return refuses(needed + END_MARKER) and not refuses(fewer + END_MARKER)


def count_of(marker: bytes, data: bytes, start: int, stop: int) -> int:
    """How often a marker, of two bytes, occurs."""
    return sum(data.count(marker, at, min(at + _STEP + 1, stop)) for at in range(start, stop, _STEP))


def _first(marker: re.Pattern[bytes], data: bytes, start: int) -> re.Match[bytes] | None:
    for at in range(start, len(data), _STEP):
        if found := marker.search(data, at, at + _STEP + 1):
            return found
    return None


def _read(data: bytes, most_pieces: int, most_scans: int) -> Jpeg:
    found = Jpeg([data[:2]])
    frame, interval, position, scans = None, 0, 2, 0
    for _ in range(most_pieces):
        marker = _first(_MARKER, data, position)
        if marker is None or marker[1][0] == _END:
            found.ended = marker is not None
            break
        code, position = marker[1][0], marker.end()
        if 0xD0 <= code <= 0xD8 or code == 0x01:
            continue
        if not scans and code not in _KNOWN:
            raise ContentError(_DAMAGED)
        length = int.from_bytes(data[position : position + 2])
        end = position + length
        if length < 2 or end > len(data):
            raise ContentError(CUT_OFF)
        body = data[position + 2 : end]
        if code in _FRAMES:
            frame = _frame(code, body)
        elif code == _INTERVAL:
            interval = int.from_bytes(body[:2])
        elif code == _SCAN:
            after = _first(_AFTER_SCAN, data, end)
            stop = after.start() if after else len(data)
            scans += 1
            if frame is None:
                raise ContentError(_DAMAGED)
            if scans > most_scans:
                raise ContentError(f"it has more than {most_scans} scans")
            if interval and frame.height:
                expected = (frame.units(body[1 : 1 + 2 * body[0] : 2]) - 1) // interval
                if sum(count_of(each, data, end, stop) for each in _RESTARTS) < expected:
                    raise ContentError(CUT_OFF if after is None else "parts in the middle of it are missing")
            frame.add_scan(body)
            end = stop
        _keep(found, code, data[marker.start() : end])
        position = end
    else:
        raise ContentError(f"it has more than {most_pieces} segments")
    if frame is None or frame.lacks_scans:
        raise ContentError(CUT_OFF)
    found.height, found.width, found.scans = frame.height, frame.width, scans
    found.huffman = frame.kind in _HUFFMAN
    return found


def _keep(found: Jpeg, code: int, piece: bytes) -> None:
    body = piece[4:]
    if code not in _METADATA:
        found.kept.append(piece)
    elif body.startswith(_COLOURS.get(code, piece)):
        found.colours.append(piece)
    elif code == 0xE1 and body.startswith(_EXIF) and not found.exif:
        found.exif = body.removeprefix(_EXIF)


def _frame(code: int, body: bytes) -> _Frame:
    count = body[5]
    parts = [body[6 + 3 * index : 9 + 3 * index] for index in range(count)]
    sampling = {part[0]: (part[1] >> 4, part[1] & 15) for part in parts}
    return _Frame(
        code,
        height=int.from_bytes(body[1:3]),
        width=int.from_bytes(body[3:5]),
        sampling=sampling,
        bits_left={component: [_ALL] * 64 for component in sampling},
    )
