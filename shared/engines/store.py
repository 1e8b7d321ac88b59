"""Converted networks on disk, so that a restart does not convert again.

    <folder>/<key>/       one network; written under another name first, so that it is there whole or not at all
        about.json        SHA-256 of every other file; an entry that does not match it is made again
        …
    <folder>/choice-<key> one line: the engine that was the fastest

At most `_MAX_ENTRIES` networks are kept; the one that was used longest ago goes first. The folder can be removed at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

_ABOUT = "about.json"
_PREFIX = "network-"
_MAX_ENTRIES = 8
_MAKING = ".making-"
_ABANDONED_AFTER_S = 3600.0
"""A folder that is still being written after so long belongs to a process that was killed."""
_CHOICE = "choice-"
_MAX_CHOICES = 256
_MAX_CHOICE_CHARACTERS = 100
_MAX_ABOUT_BYTES = 1 << 16
_KEY = re.compile(r"[0-9a-f]{24}")


class Store:
    """One folder. A folder that cannot be used costs time, never the start."""

    def __init__(self, folder: Path | None) -> None:
        """None keeps nothing."""
        self._folder = folder

    def find(self, key: str) -> Path | None:
        """The entry's folder, if it is there and undamaged."""
        if self._folder is None:
            return None
        entry = self._folder / (_PREFIX + key)
        with contextlib.suppress(OSError):
            os.utime(entry)  # used now; a folder that is mounted for reading has no need of it
        try:
            if not entry.is_dir():
                return None
        except OSError:  # `add` will say what is wrong with the folder
            return None
        try:
            with (entry / _ABOUT).open("rb") as file:
                expected = json.loads(file.read(_MAX_ABOUT_BYTES))
            if expected != _digests(entry):
                raise ValueError("its files are not those that were written")  # noqa: TRY301
        except (OSError, ValueError, RecursionError) as error:
            _log.warning("%s is damaged (%s) and is made again", entry, error)
            shutil.rmtree(entry, ignore_errors=True)
            return None
        return entry

    def add(self, key: str, write: Callable[[Path], None]) -> Path | None:
        """Let `write` fill a new entry's folder; None, said in one line, where it cannot be kept."""
        if self._folder is None:
            return None
        entry = self._folder / (_PREFIX + key)
        making: Path | None = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            making = Path(tempfile.mkdtemp(prefix=_MAKING, dir=self._folder))
            write(making)
            (making / _ABOUT).write_text(json.dumps(_digests(making)))
            # If another process was faster, its entry holds the same; then the rename fails and ours goes.
            with contextlib.suppress(OSError):
                making.rename(entry)
            _forget_oldest(self._folder)
            return entry if entry.is_dir() else None
        except (OSError, RuntimeError) as error:  # the latter from OpenVINO, for a full disk
            reason = (isinstance(error, OSError) and error.strerror) or str(error).partition("\n")[0]
            _log.warning("cannot keep the converted network in %s: %s", self._folder, reason)
            return None
        finally:
            if making is not None:
                shutil.rmtree(making, ignore_errors=True)

    def recall(self, key: str) -> str | None:
        """The line that was remembered under this key."""
        if self._folder is None:
            return None
        try:
            with (self._folder / (_CHOICE + key)).open(encoding="utf-8") as file:
                return file.read(_MAX_CHOICE_CHARACTERS)
        except (OSError, ValueError):
            return None

    def remember(self, key: str, line: str) -> None:
        """Keep one line; where it cannot be kept it is found out again next time."""
        if self._folder is None:
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / (_CHOICE + key)).write_text(line, encoding="utf-8")
            _forget_oldest(self._folder)


def _forget_oldest(folder: Path) -> None:
    """Of networks, and of choices, those used longest ago."""
    for prefix, most in ((_PREFIX, _MAX_ENTRIES), (_CHOICE, _MAX_CHOICES)):
        ours = [path for path in folder.glob(prefix + "*") if _KEY.fullmatch(path.name.removeprefix(prefix))]
        for entry in sorted(ours, key=_used_at)[:-most]:
            _remove(entry)
    for unfinished in folder.glob(_MAKING + "*"):
        if time.time() - _used_at(unfinished) > _ABANDONED_AFTER_S:
            _remove(unfinished)


def _used_at(entry: Path) -> float:
    """Seconds since 1970; 0 for what another process has just removed."""
    try:
        return entry.stat().st_mtime
    except OSError:
        return 0.0


def _remove(entry: Path) -> None:
    if entry.is_dir():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)


def _digests(entry: Path) -> dict[str, str]:
    """SHA-256 of every file but the one that holds them."""
    found = {}
    for path in sorted(entry.iterdir()):
        if path.name != _ABOUT:
            with path.open("rb") as file:
                found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
