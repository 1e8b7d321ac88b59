"""The pages of a TIFF."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any

from PIL.TiffImagePlugin import ImageFileDirectory_v2

from edge.sources.files.unreadable import UnreadableError, refuse_huge

_KIND, _WIDTH, _HEIGHT, _BITS, _FORMAT, _RAW = 254, 256, 257, 258, 339, 50706
_REDUCED_OR_MASK = 0b101
_MOST_PAGES = 100_000


@dataclass(frozen=True, slots=True)
class Page:
    """One picture that it holds."""

    index: int
    deep: bool
    """Whether samples have other than 8 bits at most."""


def pages(data: bytes) -> list[Page]:
    """Its pages without previews and masks. Raises UnreadableError, also for a camera's raw data."""
    found: list[Page] = []
    for index, tags in enumerate(_directories(data)):
        if tags.get(_RAW):
            raise UnreadableError("raw data of a camera are not read")
        if int(tags.get(_KIND, 0)) & _REDUCED_OR_MASK:
            continue
        bits, formats = (_numbers(tags.get(tag, 1)) for tag in (_BITS, _FORMAT))
        deep = max(bits) > 8 or max(formats) > 1
        refuse_huge(int(tags[_WIDTH]), int(tags[_HEIGHT]))
        found.append(Page(index, deep))
    return found


def _directories(data: bytes) -> list[dict[int, Any]]:
    directory = ImageFileDirectory_v2(data[:16] if data[2:3] == b"+" or data[3:4] == b"+" else data[:8])
    file, seen, at = BytesIO(data), set[int](), int(directory.next)
    read = []
    while at and at not in seen and len(seen) < _MOST_PAGES:
        if at >= len(data):
            raise UnreadableError("it is cut off")
        seen.add(at)
        file.seek(at)
        directory.load(file)
        read.append(
            {
                tag: directory[tag]
                for tag in (_KIND, _WIDTH, _HEIGHT, _BITS, _FORMAT, _RAW)
                if tag in directory
            }
        )
        at = int(directory.next)
    return read


def _numbers(value: Any) -> tuple[int, ...]:
    return tuple(map(int, value)) if isinstance(value, tuple) else (int(value),)
