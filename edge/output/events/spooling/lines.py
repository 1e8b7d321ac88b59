"""An event as a line of the spool's files: JSON that begins with the CRC-32 of what follows it."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.output.events.event import Event
from edge.output.events.spooling.reader import Entry

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEAD = b'{"crc":"%08x",'
_HEAD_BYTES = len(_HEAD % 0)
_POSITION, _EVENT, _NUMBERS = b'"position":', b',"event":', b'"numbers":'


@dataclass(frozen=True, slots=True)
class Line:
    """An event, and the bytes that are written of it."""

    position: int
    event: Event
    data: bytes


def line_of(position: int, event: Event) -> Line:
    """The line that holds this event."""
    return Line(position, event, _sealed(b"%b%d%b%b}" % (_POSITION, position, _EVENT, event.json())))


def entry_of(line: bytes) -> Entry | None:
    """The event of a line; None if it holds none, or is damaged."""
    before, found, event = _rest(line).partition(_EVENT)
    if not found:
        return None
    try:
        return Entry(int(before.removeprefix(_POSITION)), Event.parse(event[:-1]))
    except ValueError:  # of a later version
        return None


def head_of(numbers: Mapping[str | None, int]) -> bytes:
    """The first line of a segment: the latest number of each camera before it."""
    return _sealed(b"%b%b}" % (_NUMBERS, json.dumps(list(numbers.items())).encode()))


def numbers_of(line: bytes) -> list[tuple[str | None, int]] | None:
    """What a head says; None if the line is none."""
    rest = _rest(line)
    if not rest.startswith(_NUMBERS):
        return None
    found: Any = json.loads(b"{" + rest)
    return [(camera, number) for camera, number in found["numbers"]]


def _sealed(rest: bytes) -> bytes:
    return _HEAD % zlib.crc32(rest) + rest + b"\n"


def _rest(line: bytes) -> bytes:
    """What follows the checksum; nothing if that is another's."""
    rest = line[_HEAD_BYTES:]
    return rest if line[:_HEAD_BYTES] == _HEAD % zlib.crc32(rest) else b""
