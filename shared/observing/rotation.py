"""When a file of lines is complete and another is begun, and how long the complete ones are kept.

    out.jsonl                            the one that is written
    out-20261129T043000.123Z.jsonl       complete ones, by the time (UTC) at which they became so: their names sort by it

No name changes again and no content either, so that a copy or a log shipper sees each of them once.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_STAMP = r"-\d{8}T\d{6}\.\d{3}Z"


@dataclass(frozen=True, slots=True)
class Rotation:
    """The limits of one file and of those that were complete before it; 0 is none."""

    max_bytes: int = 0
    """A line that would make the file longer begins another one."""
    max_age_s: float = 0.0
    """So does one that comes so long after the file's first."""
    keep: int = 1
    """Complete files that are kept, at least 1; also none is kept for longer than `keep` times `max_age_s`."""

    @property
    def limited(self) -> bool:
        """Whether a file is ever complete."""
        return bool(self.max_bytes or self.max_age_s)

    def due(self, size: int, more: int, age_s: float) -> bool:
        """Whether a file of `size` bytes whose first line came `age_s` ago is complete before it gets `more` bytes."""
        too_long = 0 < self.max_bytes < size + more
        return size > 0 and (too_long or 0 < self.max_age_s <= age_s)


@dataclass(frozen=True, slots=True)
class Removed:
    """What was removed, and what is left."""

    files: int
    size: int
    """Bytes."""
    kept: int
    """Bytes of the complete files that are left."""


def complete(path: Path) -> Path:
    """Give the file at `path` the name of a complete one, which no other file has; its new path. Raises OSError."""
    at = datetime.now(UTC)
    names = sorted(each.name for each in _complete_ones(path))
    if names and names[-1] >= _name(path, at):  # the clock was set back; the order of the names must hold
        at = _time_of(path, names[-1]) + timedelta(milliseconds=1)
    while (target := path.with_name(_name(path, at))).exists():
        at += timedelta(milliseconds=1)
    path.rename(target)
    return target


def remove_old(path: Path, rotation: Rotation) -> Removed:
    """Remove the complete files of `path` that are more than are kept, or too old. Those that cannot be removed stay."""
    files, size, kept = 0, 0, 0
    oldest = time.time() - rotation.keep * rotation.max_age_s if rotation.max_age_s else 0.0
    newest_first = sorted(_complete_ones(path), key=lambda each: each.name, reverse=True)
    for place, each in enumerate(newest_first):
        with contextlib.suppress(OSError):  # another process may have removed it
            about = each.stat()
            if rotation.limited and (place >= rotation.keep or about.st_mtime < oldest):
                each.unlink()
                files, size = files + 1, size + about.st_size
            else:
                kept += about.st_size
    return Removed(files, size, kept)


def remove_abandoned(folder: Path, rotation: Rotation, family: re.Pattern[str], opening: bytes) -> Removed:
    """Remove what others have left: files of a `family` of names, complete ones included, that nobody has written to for as long
    as a complete one is kept, and whose content has this `opening`. `kept` is 0.

    So those of a container that has another name since its image was updated do not stay for ever.
    """
    files, size = 0, 0
    oldest = time.time() - rotation.keep * rotation.max_age_s
    for each in _entries(folder) if rotation.max_age_s else ():
        if not family.fullmatch(re.sub(_STAMP, "", each.name)):
            continue
        with contextlib.suppress(OSError):  # one that is locked is being written
            about = each.lstat()
            if not stat.S_ISREG(about.st_mode) or about.st_mtime >= oldest:
                continue
            with each.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if file.read(len(opening)) == opening:
                    each.unlink()
                    files, size = files + 1, size + about.st_size
    return Removed(files, size, 0)


@contextlib.contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Whether no other process completes files in this folder at the moment. Where the folder allows no lock: yes."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError:  # a network's file system may lock files that are open for writing only
            pass
        yield True
    finally:
        os.close(folder)


def _name(path: Path, at: datetime) -> str:
    return f"{path.stem}-{at:%Y%m%dT%H%M%S}.{at.microsecond // 1000:03}Z{path.suffix}"


def _time_of(path: Path, name: str) -> datetime:
    stamp = name[len(path.stem) : len(name) - len(path.suffix)]
    try:
        return datetime.strptime(stamp, "-%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
    except ValueError:  # digits that are no time
        return datetime.now(UTC)


def _complete_ones(path: Path) -> list[Path]:
    pattern = re.compile(re.escape(path.stem) + _STAMP + re.escape(path.suffix))
    return [each for each in _entries(path.parent) if pattern.fullmatch(each.name)]


def _entries(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return list(folder.iterdir())
    return []
