"""The disk cache: results that take long to compute, kept for the next start.

    <folder>/survey-<key>-<digest>.json   a file entry; <digest> is the start of the SHA-256 of its content
    <folder>/bundle-<key>/                a folder entry
        about.json                        SHA-256 of each of its other files
    <folder>/.making-…                    being written; moved to its place once complete
    <folder>/.lock-bundle-<key>           held by the process that makes this entry
    <folder>/.lock-choice                 held by the process whose turn it is (shared/process/cache/turns.py)

An entry either is complete and matches its digests, or is not used. The number of entries of each kind is bounded; the least
recently used ones are removed first. The folder may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import re
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.process.cache.entries import (
    ABOUT,
    DIGEST_DIGITS,
    KEY_DIGITS,
    digests,
    digits,
    file_name,
    mark_used,
    remove,
    split,
    used_at,
)
from shared.process.cache.file_lock import file_lock
from shared.process.cache.turns import turn
from shared.process.machine import expand_home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_log = logging.getLogger(__name__)

_MAX_ENTRIES = {"bundle": 8, "profile": 32}
"""By kind: what precedes the key in an entry's name."""
_FORMER_KINDS = {"bundle": "network"}
"""What earlier versions kept in its place: counted with it, so that it goes once there is something newer."""
_MAX_SMALL_ENTRIES = 256
"""For every other kind: a few kilobytes each."""
_MAX_FILE_BYTES = 32 << 20
_MAX_ABOUT_BYTES = 1 << 16
_MAKING = ".making-"
_LOCK = ".lock-"
_ABANDONED_AFTER_S = 3600.0
"""An entry that has been in the making for so long belongs to a process that was killed."""


class Cache:
    """The entries in one folder, which several processes may use at once.

    A name is `<kind>-<key>`, the key made by `key_of`; a file's name also has a suffix. A folder that cannot be used costs
    time and one line in the log; no method raises because of it.
    """

    def __init__(self, folder: str) -> None:
        """`folder` may begin with `~` and is created when the first entry is stored. "" keeps nothing."""
        self._given = folder
        path = expand_home(folder)
        # An unknown home must not become a folder called `~` in the working directory.
        unknown = folder.startswith("~") and path == Path(folder)
        self._folder = None if unknown or not folder else path
        self._warned = False

    def load_json(self, name: str) -> Any:
        """The JSON value stored under `name`; None if there is none or it is damaged."""
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(self.load_file(f"{name}.json") or b"")
        return None

    def store_json(self, name: str, value: Any) -> None:
        """Store a JSON value in place of what `name` held."""
        self.store_file(f"{name}.json", json.dumps(value).encode())

    def load_file(self, name: str) -> bytes | None:
        """The bytes stored under `name`; None if there are none. Damaged ones are removed."""
        for _ in range(3):
            replaced = False  # by another process, between listing and opening
            for path in sorted(self._versions(name), key=used_at, reverse=True):
                try:
                    with path.open("rb") as file:
                        data = file.read(_MAX_FILE_BYTES + 1)
                except OSError as error:
                    replaced |= isinstance(error, FileNotFoundError)
                    continue
                if path.name == file_name(name, data):
                    mark_used(path)
                    return data
                remove(path)
            if not replaced:
                break
        return None

    def store_file(self, name: str, data: bytes) -> None:
        """Store bytes, at most 32 MiB, in place of what `name` held. The suffix is what follows the first dot in `name`."""

        def write(making: Path) -> tuple[Path, str]:
            path = making / "file"
            path.write_bytes(data)
            return path, file_name(name, data)

        before = list(self._versions(name))
        path = self._put(name, write)
        if path:
            # Not what another process has stored in the meantime: one of the two must remain.
            for other in before:
                if other != path:
                    remove(other)

    def load_folder(self, name: str, *, verify: bool = True) -> Path | None:
        """The folder stored under `name`; None if there is none. A damaged one is logged and removed, if files are to be verified."""
        if self._folder is None:
            return None
        entry = self._folder / name
        mark_used(entry)
        try:
            if not entry.is_dir():
                return None
        except OSError:  # `store_folder` will say what is wrong with the cache's folder
            return None
        try:
            with (entry / ABOUT).open("rb") as file:
                expected = json.loads(file.read(_MAX_ABOUT_BYTES))
            if verify and expected != digests(entry):
                raise ValueError("its files are not those that were written")  # noqa: TRY301
        except (OSError, ValueError, RecursionError) as error:
            _log.warning("%s is damaged (%s) and is made again", entry, error)
            remove(entry)
            return None
        return entry

    def store_folder(self, name: str, write: Callable[[Path], str | None]) -> Path | None:
        """Have `write` fill a new folder and store it. Returns where it is now, or None if it could not be kept.

        `write` may return another name, to store the folder under that. It may raise OSError or RuntimeError, OpenVINO's error
        for a full disk: the folder is not kept then.
        """

        def fill(making: Path) -> tuple[Path, str]:
            stored_as = write(making) or name
            (making / ABOUT).write_text(json.dumps(digests(making)))
            return making, stored_as

        return self._put(name, fill)

    @contextlib.contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Hold the lock of `name`, so that one process at a time makes that entry. Where the folder allows no lock, do without."""
        with contextlib.ExitStack() as stack:
            if self._folder is not None:
                with contextlib.suppress(OSError):
                    self._folder.mkdir(parents=True, exist_ok=True)
                    stack.enter_context(file_lock(self._folder / f"{_LOCK}{name}", f"makes {name}"))
            yield

    @contextlib.contextmanager
    def turn(self, kind: str, what: str, patience_s: float) -> Iterator[bool]:
        """Take a turn as `shared.process.cache.turns.turn` describes, among those that make entries of a kind; where the folder allows no
        lock, at once.
        """
        with contextlib.ExitStack() as stack:
            waited = False
            if self._folder is not None:
                with contextlib.suppress(OSError):
                    self._folder.mkdir(parents=True, exist_ok=True)
                    waited = stack.enter_context(turn(self._folder / f"{_LOCK}{kind}", what, patience_s))
            yield waited

    def _put(self, name: str, make: Callable[[Path], tuple[Path, str]]) -> Path | None:
        """Move what `make` makes in a folder of its own to its place; None, logged once, where that is impossible.

        `make` returns the path of what it made and the name that this is to have.
        """
        if not self._given:
            return None
        making: Path | None = None
        try:
            if self._folder is None:
                raise OSError(errno.ENOENT, "this home folder is not known")  # noqa: TRY301
            self._folder.mkdir(parents=True, exist_ok=True)
            making = Path(tempfile.mkdtemp(prefix=_MAKING, dir=self._folder))
            made, stored_as = make(making)
            entry = self._folder / stored_as
            try:
                made.replace(entry)
            except OSError:
                # Another process may have stored the same folder first.
                if made != making or not entry.is_dir():
                    raise
            self._tidy(name, entry)
        except (OSError, RuntimeError) as error:
            self._warn(name, error)
            return None
        else:
            return entry
        finally:
            if making is not None:
                remove(making)

    def _warn(self, name: str, error: Exception) -> None:
        if not self._warned:
            reason = (isinstance(error, OSError) and error.strerror) or str(error).partition("\n")[0]
            _log.warning("cannot keep %s in %s: %s", name, self._folder or self._given, reason)
        self._warned = True

    def _versions(self, name: str) -> Iterator[Path]:
        """The files stored under `name`: one, or more after a process was killed between storing and removing."""
        stem, suffix = split(name)
        return self._matching(re.escape(stem) + digits(DIGEST_DIGITS) + re.escape(suffix))

    def _tidy(self, name: str, stored: Path) -> None:
        """Remove the least recently used entries of this kind beyond their number, and what killed processes left."""
        stem, suffix = split(name)
        kind = stem.rpartition("-")[0]
        # Entries of earlier versions have no digest in their name. Anything else is not ours: it may be anybody's folder.
        kinds = "|".join(re.escape(each) for each in (kind, _FORMER_KINDS.get(kind, kind)))
        pattern = f"({kinds}){digits(KEY_DIGITS)}({digits(DIGEST_DIGITS)})?{re.escape(suffix)}"
        # Not the one just stored, even if the clock was set back and all others seem newer.
        others = sorted((path for path in self._matching(pattern) if path != stored), key=used_at)
        for entry in others[: max(0, len(others) + 1 - _MAX_ENTRIES.get(kind, _MAX_SMALL_ENTRIES))]:
            remove(entry)
        for unfinished in self._matching(f"({re.escape(_MAKING)}|{re.escape(_LOCK)}).*"):
            if time.time() - used_at(unfinished) > _ABANDONED_AFTER_S:
                remove(unfinished)

    def _matching(self, pattern: str) -> Iterator[Path]:
        """What lies in the folder under a name of this pattern; nothing if the folder cannot be read."""
        if self._folder is not None:
            with contextlib.suppress(OSError):
                yield from [path for path in self._folder.iterdir() if re.fullmatch(pattern, path.name)]


def key_of(*values: str) -> str:
    """24 hexadecimal digits that differ wherever any of the values, or their order, does."""
    return hashlib.sha256("\n".join(values).encode()).hexdigest()[:KEY_DIGITS]
