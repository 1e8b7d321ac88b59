"""How far each target has got, on the disk: a small file a target, written in place, so that a full disk does not keep it from growing.

The file has two places, which are written in turn: whichever moment a process is killed at, one of them is whole.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from typing import TYPE_CHECKING

from edge.output.events.spooling.folder import sync_folder

if TYPE_CHECKING:
    from pathlib import Path

_PREFIX = "cursor-"
_APART = 512
"""Bytes from one place to the other: a disk writes no less at once."""
_DIGITS = 20
_LINE = b"%020d %08x\n"
_LINE_BYTES = len(_LINE % (0, 0))


class Cursors:
    """The cursors in one folder, which is this process's alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, int] = {}
        self._turns: dict[str, int] = {}
        self._stored: dict[str, int] = {}

    def furthest(self) -> int:
        """The furthest of all targets that ever were, as far as their files can be read. Raises OSError."""
        paths = [each for each in self._folder.iterdir() if each.name.startswith(_PREFIX)]
        return max((_read(each.read_bytes())[0] or 0 for each in paths), default=0)

    def open(self, target: str, newest: int, oldest: int) -> int:
        """Where this target goes on: one that is new after `newest`, one whose file is damaged after `oldest`. Raises OSError."""
        path = self._folder / f"{_PREFIX}{target}"
        new = not path.exists()
        file = self._files[target] = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        found, place = _read(os.pread(file, 2 * _APART, 0))
        self._turns[target] = 1 - place
        if new:
            with contextlib.suppress(OSError):  # a full disk: it is tried again
                self.store(target, newest)
            sync_folder(self._folder)
            return newest
        if found is None:
            return oldest
        self._stored[target] = found
        return found

    def stored(self, target: str) -> int | None:
        """What is on the disk; None if nothing is."""
        return self._stored.get(target)

    def store(self, target: str, done: int) -> None:
        """Everything up to this position is done. On the disk when it returns; raises OSError."""
        file, turn = self._files[target], self._turns[target]
        text = b"%020d" % done
        os.pwrite(file, _LINE % (done, zlib.crc32(text)), turn * _APART)
        os.fdatasync(file)
        self._turns[target] = 1 - turn
        self._stored[target] = done

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            with contextlib.suppress(OSError):
                os.close(file)
        self._files.clear()


def _read(data: bytes) -> tuple[int | None, int]:
    """What the further of the two places says, and which that is; None if neither is whole."""
    found: tuple[int | None, int] = None, 1
    for turn in (0, 1):
        line = data[turn * _APART :][:_LINE_BYTES]
        digits = line[:_DIGITS]
        if digits.isdigit() and line == _LINE % (int(digits), zlib.crc32(digits)):
            found = max(found, (int(digits), turn), key=lambda each: -1 if each[0] is None else each[0])
    return found
