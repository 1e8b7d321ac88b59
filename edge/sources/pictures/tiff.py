"""The pages of a TIFF."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from edge.sources.pictures.unreadable import UnreadableError, refuse_huge

if TYPE_CHECKING:
    from collections.abc import Iterator

_KIND, _WIDTH, _HEIGHT, _BITS, _COLOURS, _FORMAT, _RAW = 254, 256, 257, 258, 262, 339, 50706
_LOOKED_AT = {_KIND, _WIDTH, _HEIGHT, _BITS, _COLOURS, _FORMAT, _RAW}
_WIDTHS = {1: 1, 3: 2, 4: 4, 16: 8}
"""In bytes, of the types BYTE, SHORT, LONG and LONG8."""
_REDUCED_OR_MASK = 0b101
_BIG = 43
_MOST_PAGES = 100_000
_MOST_TAGS = 4096
_MOST_NUMBERS = 16


@dataclass(frozen=True, slots=True)
class Page:
    """One picture that it holds."""

    index: int
    at: int
    """Where its directory begins."""
    deep: bool
    """Whether samples are other than whole numbers of at most 8 bits."""
    white_is_zero: bool
    bits: int


def pages(data: bytes) -> Iterator[Page]:
    """Its pages without previews and masks. Raises UnreadableError, also after some, and for a camera's raw data."""
    for index, (at, tags) in enumerate(_directories(data)):
        if _RAW in tags:
            raise UnreadableError("raw data of a camera are not read")
        if tags.get(_KIND, (0,))[0] & _REDUCED_OR_MASK:
            continue
        if not tags.get(_WIDTH) or not tags.get(_HEIGHT):
            raise UnreadableError("its headers are damaged")
        refuse_huge(tags[_WIDTH][0], tags[_HEIGHT][0])
        bits = max(tags.get(_BITS, (1,)), default=1)
        deep = bits > 8 or max(tags.get(_FORMAT, (1,)), default=1) > 1
        yield Page(index, at, deep, tags.get(_COLOURS) == (0,), bits)


def begin_with(data: bytearray, page: Page) -> None:
    """Make `page` the first one of the TIFF `data`: readers take long to get to the last of many."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    place = slice(8, 16) if int.from_bytes(data[2:4], order) == _BIG else slice(4, 8)
    data[place] = page.at.to_bytes(place.stop - place.start, order)


def _directories(data: bytes) -> Iterator[tuple[int, dict[int, tuple[int, ...]]]]:
    """Page by page: where it begins, and the numbers of those tags that are looked at."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"

    def number(at: int, size: int) -> int:
        if at + size > len(data):
            raise UnreadableError("it is cut off")
        return int.from_bytes(data[at : at + size], order)

    large = number(2, 2) == _BIG
    size, count_size, entry_size = (8, 8, 20) if large else (4, 2, 12)
    at, seen = number(8 if large else 4, size), set[int]()
    while at and at not in seen and len(seen) < _MOST_PAGES:
        seen.add(at)
        entries = min(number(at, count_size), _MOST_TAGS)
        first = at + count_size
        tags = {}
        for entry in range(first, first + entries * entry_size, entry_size):
            tag, width = number(entry, 2), _WIDTHS.get(number(entry + 2, 2), 0)
            if tag not in _LOOKED_AT:
                continue
            count = min(number(entry + 4, size), _MOST_NUMBERS)
            values = entry + 4 + size
            if width * count > size:
                values = number(values, size)
            tags[tag] = (
                tuple(number(values + place * width, width) for place in range(count)) if width else ()
            )
        yield at, tags
        at = number(first + entries * entry_size, size)
