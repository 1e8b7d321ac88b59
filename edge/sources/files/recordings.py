"""The pictures and videos of a folder or a pattern, one after another; or a single picture."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from edge.sources.base import Shot
from edge.sources.files.kinds import kind_of
from edge.sources.opencv import quiet_opencv
from edge.sources.pictures.depth import Depth
from edge.sources.pictures.reading import frames
from edge.sources.pictures.unreadable import UnreadableError
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from edge.sources.base import Source
    from edge.sources.files.listing import Entry

_log = logging.getLogger(__name__)

_MOST_NAMED = 20


class Recordings:
    """Files, in order. What cannot be read is left out with a warning, and counted.

    Frames are numbered over all files. A file has as many numbers as it has frames, and one for what could not be read of it,
    so that the numbers in a folder of single pictures are their places in its sorted list, whatever can be read.
    """

    live = False

    def __init__(
        self,
        name: str,
        listing: Callable[[], tuple[list[Entry], list[str]]],
        make_video: Callable[[Path], Source],
        on_undecodable: Callable[[], None],
    ) -> None:
        """`listing` gives the files and the names of what is passed over; it may raise SourceError.

        `on_undecodable` is called for every file that cannot be read, or not to its end.
        """
        self.name = name
        self._listing = listing
        self._make_video = make_video
        self._on_undecodable = on_undecodable
        self._depth = Depth()
        self._left: list[Entry] = []  # the next one last
        self._shots: Generator[Shot] | None = None
        self._entry: Entry | None = None
        self._alone = False
        self._given = self._first = self._next = self._skipped = 0
        self._reason = ""

    def open(self) -> None:
        """List the files. Raises SourceError if there are none."""
        self.close()
        quiet_opencv()
        entries, others = self._listing()
        if not entries:
            holds = f"; {_named(others)} passed over" if others else ""
            raise SourceError(f"{self.name}: no pictures and no videos{holds}")
        if others:
            _log.info("%s: passed over, as neither pictures nor videos: %s", self.name, _named(others))
        self._alone = entries[0].name is None
        self._left = entries[::-1]
        self._given = self._next = self._skipped = 0

    def read(self) -> Shot | None:
        """The next frame; None at the end. Raises SourceError there if there was none."""
        while self._entry or self._left:
            if self._entry is None:
                self._entry = self._left.pop()
                self._shots = self._open(self._entry)
                self._first = self._next
                self._next += 1
            shot = self._next_shot(self._entry)
            if shot is not None:
                number = self._first + shot.number
                self._given += 1
                self._next = number + 1
                return replace(shot, number=number, file=self._entry.name)
            self._entry = self._shots = None
        self._say_what_is_left_out()
        return None

    def close(self) -> None:
        if self._shots is not None:
            self._shots.close()
        self._entry = self._shots = None
        self._left = []

    def _open(self, entry: Entry) -> Generator[Shot]:
        if (kind_of(entry.path) or entry.kind) == "picture":
            for number, (picture, media_time_s) in enumerate(frames(entry.path, self._depth)):
                yield Shot(picture, number, media_time_s)
        else:
            with closing(self._make_video(entry.path)) as video:
                video.open()
                while (shot := video.read()) is not None:
                    yield shot

    def _next_shot(self, entry: Entry) -> Shot | None:
        """None at its end, or where the rest cannot be read."""
        given = self._next > self._first + 1
        try:
            return next(self._shots or iter(()), None)
        except UnreadableError as error:
            reason = str(error)
        except SourceError as error:
            reason = str(error).removeprefix(f"{entry.path}: ")
        self._skipped += 1
        self._next += given
        self._on_undecodable()
        self._reason = reason
        if not self._alone and self._skipped <= _MOST_NAMED:
            _log.warning("%s: %s; %s left out", entry.path, reason, "the rest is" if given else "it is")
        return None

    def _say_what_is_left_out(self) -> None:
        if self._skipped and not self._given:
            all_of_them = f"none of its {self._skipped} pictures can be read; the last one: {self._reason}"
            raise SourceError(f"{self.name}: {self._reason if self._alone else all_of_them}")
        if self._skipped > _MOST_NAMED:
            _log.warning("%s: %d files could not be read", self.name, self._skipped)


def _named(names: list[str]) -> str:
    rest = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + rest
