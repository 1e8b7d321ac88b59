"""The spool's files: lines of JSON, each with its checksum, in segments of which whole ones are removed.

    events-00000000000000000017.jsonl   none of its events has a position before this one
        {"crc":"89abcdef","numbers":[["door",41],[null,3]]}      the latest number of each camera before it
        {"crc":"01234567","position":17,"event":{"id":…}}        the CRC-32 of what follows the first comma

Lines are on the disk when `append` returns. Where the last segment does not end with a whole line, as a kill or a power cut leaves it,
nothing is added to it, and another is begun. A line that is damaged is passed over.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import threading
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from edge.output.events.event import MAX_EVENT_BYTES
from edge.output.events.spooling.folder import sync_folder
from edge.output.events.spooling.lines import entry_of, head_of, numbers_of
from shared.observing.line_content import is_torn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.output.events.spooling.lines import Line
    from edge.output.events.spooling.reader import Entry

_NAME = re.compile(r"events-(\d{20})\.jsonl")
_CHUNK_BYTES = 4 * MAX_EVENT_BYTES
_SHARE, _LEAST_BYTES, _MOST_BYTES = 16, 1 << 12, 4 << 20
"""A segment is this share of the whole, within these limits."""
_MAX_CAMERAS = 1000
"""Whose numbers are kept: those that told something last."""
_CLOSED = -1


@dataclass(frozen=True, slots=True)
class Place:
    """Where reading goes on: a segment, by its name's position, and the byte in it."""

    first: int
    byte: int


class Segments:
    """One thread writes, others read. The folder is this process's alone."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Take up what is there. Raises OSError if it cannot be read."""
        self._folder = folder
        self._max_bytes = max_bytes
        self._segment_bytes = min(max(max_bytes // _SHARE, _LEAST_BYTES), _MOST_BYTES)
        self._lock = threading.Lock()
        self._file = _CLOSED
        """The last segment, if lines may be added to it."""
        names = (_NAME.fullmatch(each.name) for each in folder.iterdir())
        firsts = sorted(int(found[1]) for found in names if found)
        self._sizes = {each: self._path(each).stat().st_size for each in firsts}
        """Bytes of each segment that may be read, by its name's position; in order."""
        self.numbers: dict[str | None, int] = {}
        """The latest number of each camera."""
        self.last = 0
        """Position of the last event that was written."""
        self._take_up()

    @property
    def size(self) -> int:
        """Bytes of all."""
        with self._lock:
            return sum(self._sizes.values())

    def append(self, lines: Sequence[Line]) -> None:
        """Have these on the disk, which `room_for` has said has room. Raises OSError; then another segment is begun next time."""
        data = b"".join(each.data for each in lines)
        try:
            if self._file == _CLOSED or self._sizes[self._newest()] + len(data) > self._segment_bytes:
                self._begin(lines[0].position)
            _write(self._file, data)
            os.fdatasync(self._file)
        except OSError:
            self._let_go()
            raise
        with self._lock:
            self._sizes[self._newest()] += len(data)
        self.last = lines[-1].position
        for each in lines:
            self._note(each.event.camera, each.event.number)

    def crowded(self, more: int) -> int:
        """Position up to which events have to go before so many bytes are added; 0 if there is room."""
        with self._lock:
            total, gone = sum(self._sizes.values()) + more, 0
            for first, after in pairwise(self._sizes):
                if total > self._max_bytes:
                    total, gone = total - self._sizes[first], after - 1
        return gone

    def remove_to(self, position: int) -> None:
        """Remove the segments that hold nothing after this position, but for the last, which has the numbers. Raises OSError."""
        with self._lock:
            old = [first for first, after in pairwise(self._sizes) if after - 1 <= position]
        for first in old:
            self._path(first).unlink(missing_ok=True)
            with self._lock:
                del self._sizes[first]

    def read(self, after: int, place: object) -> tuple[list[Entry], Place | None]:
        """Some of the events after this position, in order, and the place for the next call; `place` is the last one's. Raises OSError."""
        with self._lock:
            sizes = dict(self._sizes)
        if not sizes:
            return [], None
        if not isinstance(place, Place) or place.first not in sizes:
            place = Place(max((each for each in sizes if each <= after + 1), default=min(sizes)), 0)
        for first in [each for each in sizes if each >= place.first]:
            if first != place.first:
                place = Place(first, 0)
            while data := self._lines_at(place, sizes[first]):
                place = Place(first, place.byte + len(data))
                found = [each for each in map(entry_of, data.split(b"\n")) if each and each.position > after]
                if found:
                    return found, place
        return [], place

    def behind(self, after: int) -> tuple[int, Place | None]:
        """The last position of the segment that the next event after this one is in, and where reading goes on behind it."""
        with self._lock:
            later = [each for each in self._sizes if each > after + 1]
            if later:
                return later[0] - 1, Place(later[0], 0)
            newest = next(reversed(self._sizes), None)
            return self.last, None if newest is None else Place(newest, self._sizes[newest])

    def close(self) -> None:
        """Close the file."""
        if self._file != _CLOSED:
            with contextlib.suppress(OSError):
                os.close(self._file)
        self._file = _CLOSED

    def _newest(self) -> int:
        return next(reversed(self._sizes))

    def _path(self, first: int) -> Path:
        return self._folder / f"events-{first:020d}.jsonl"

    def _begin(self, first: int) -> None:
        self.close()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC
        self._file = os.open(self._path(first), flags, 0o600)
        with self._lock:
            self._sizes[first] = 0
        head = head_of(self.numbers)
        _write(self._file, head)
        sync_folder(self._folder)
        with self._lock:
            self._sizes[first] = len(head)

    def _let_go(self) -> None:
        """Nothing can be added to the last segment any more. One that has just been begun goes: a full disk would get many."""
        began = self._file != _CLOSED and self.last < self._newest()
        self.close()
        if began:
            first = self._newest()
            with contextlib.suppress(OSError):
                self._path(first).unlink()
            with self._lock:
                del self._sizes[first]

    def _lines_at(self, place: Place, size: int) -> bytes:
        """Whole lines from there on; empty where there are none."""
        try:
            with self._path(place.first).open("rb") as file:
                file.seek(place.byte)
                data = file.read(min(_CHUNK_BYTES, size - place.byte))
        except FileNotFoundError:  # removed meanwhile
            return b""
        end = data.rfind(b"\n") + 1
        return data[:end] if end or len(data) < _CHUNK_BYTES else data  # no line is as long: it is damaged

    def _take_up(self) -> None:
        """Find the last event and the numbers, and open the last segment if it is whole."""
        for first in reversed(list(self._sizes)):
            self.last = max(self.last, first - 1)
            newest, has_head = first == self._newest(), self._look_through(first)
            if newest and has_head and not is_torn(self._path(first)):
                with contextlib.suppress(OSError):  # another is begun
                    self._file = os.open(self._path(first), os.O_WRONLY | os.O_APPEND)
            if has_head:
                break

    def _look_through(self, first: int) -> bool:
        """Note what this segment says; whether it said the numbers before it."""
        place, has_head = Place(first, 0), False
        while data := self._lines_at(place, self._sizes[first]):
            place = Place(first, place.byte + len(data))
            for line in data.split(b"\n"):
                if entry := entry_of(line):
                    self.last = max(self.last, entry.position)
                    self._note(entry.event.camera, entry.event.number)
                elif (numbers := numbers_of(line)) is not None:
                    has_head = True
                    for camera, number in numbers:
                        self._note(camera, number)
        return has_head

    def _note(self, camera: str | None, number: int) -> None:
        self.numbers[camera] = max(number, self.numbers.pop(camera, 0))
        if len(self.numbers) > _MAX_CAMERAS:
            del self.numbers[next(iter(self.numbers))]


def _write(file: int, data: bytes) -> None:
    if os.write(file, data) < len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
