"""Where bundles that were fetched lie: in the cache, found again by fingerprint, or in a temporary folder.

    <cache>/bundle-<key>/               a bundle that was fetched, or made on this machine
    <cache>/.fetching-<fingerprint>/    one that is on its way: its files so far, and `lock`, held while somebody fetches

A bundle gets its place only once all its files are there and have been checked.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from shared.errors import FetchError, ModelError
from shared.network.bundle import FETCHED
from shared.network.manifest import FILES, MANIFEST, read_manifest
from shared.process.cache.folder import Cache, key_of
from shared.process.machine import expand_home

if TYPE_CHECKING:
    from collections.abc import Iterator

_log = logging.getLogger(__name__)

_FETCHING = ".fetching-"
_LOCK = "lock"
_MAX_UNFINISHED = 1
"""Folders of earlier fetches that are kept, to go on where they were cut; the latest ones."""


class BundleStore:
    """Bundles by fingerprint. Several processes may use one folder at once."""

    def __init__(self, cache_dir: str) -> None:
        """`cache_dir` as in the settings. Without one, or where it cannot be written to, a temporary folder lasts until `close`."""
        self._temporary: Path | None = None
        self._damaged: set[Path] = set()
        self._root = self._usable(cache_dir) or self._make_temporary()
        # A disk that may only be read, or is full, can hold what was fetched when it was not.
        self._folders = (
            (self._root, expand_home(cache_dir)) if self._temporary and cache_dir else (self._root,)
        )
        self._cache = Cache(str(self._root))

    def find(self, fingerprint: str) -> Path | None:
        """The folder of the bundle with this fingerprint, which has yet to be verified; None if there is none."""
        for folder in self._bundles():
            with contextlib.suppress(ModelError):
                if read_manifest(folder / MANIFEST).fingerprint == fingerprint:
                    return folder
        return None

    def forget(self, folder: Path) -> None:
        """Remove a bundle that turned out to be damaged; where that cannot be, it is not found again."""
        if folder.parent == self._root:
            shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            self._damaged.add(folder)

    def free_bytes(self) -> int:
        """What the disk has left for this process."""
        return shutil.disk_usage(self._root).free

    @contextlib.contextmanager
    def unfinished(self, fingerprint: str) -> Iterator[Path | None]:
        """The folder for the files of this bundle that have come so far; None while another process fetches it.

        Raises OSError.
        """
        folder = self._root / (_FETCHING + fingerprint)
        folder.mkdir(exist_ok=True)
        try:
            opened = (folder / _LOCK).open("w")
        except FileNotFoundError:  # another process has just given the bundle its place
            yield None
            return
        with opened as lock:
            if not _locked(lock):
                yield None
                return
            self._tidy(folder)
            yield folder

    def keep(self, folder: Path, fingerprint: str) -> Path:
        """Give a bundle that is complete and checked its place. Raises FetchError."""

        def move(making: Path) -> None:
            (making / FETCHED).touch()
            for name in (MANIFEST, *FILES):
                (folder / name).replace(making / name)

        entry = self._cache.store_folder(f"bundle-{key_of('fetched', fingerprint)}", move)
        shutil.rmtree(folder, ignore_errors=True)
        if entry is None:  # the cache has said why
            raise FetchError(
                "disk", f"the bundle {fingerprint} cannot be kept in {self._root}; make room there"
            )
        return entry

    def close(self) -> None:
        """Remove the temporary folder."""
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _bundles(self) -> Iterator[Path]:
        for root in self._folders:
            with contextlib.suppress(OSError):
                yield from (folder for folder in root.glob("bundle-*") if folder not in self._damaged)

    def _usable(self, cache_dir: str) -> Path | None:
        root = expand_home(cache_dir)
        if not cache_dir or str(root).startswith("~"):
            return None
        try:
            root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=root):
                return root
        except OSError as error:
            _log.warning(
                "cannot keep bundles in %s: %s; a network that is not there is fetched again at every start",
                root,
                error.strerror,
            )
            return None

    def _make_temporary(self) -> Path:
        try:
            self._temporary = Path(tempfile.mkdtemp(prefix="splitdnn-"))
        except OSError as error:
            raise FetchError(
                "disk",
                f"no folder for the cloud's network: {error.strerror or error}; give --cache-dir one that can be written to",
            ) from None
        return self._temporary

    def _tidy(self, current: Path) -> None:
        """Remove what is left of earlier fetches that nobody goes on with."""
        others = [folder for folder in self._root.glob(f"{_FETCHING}*") if folder != current]
        others.sort(key=_changed_at, reverse=True)
        for folder in others[_MAX_UNFINISHED:]:
            with contextlib.suppress(OSError), (folder / _LOCK).open("a") as lock:
                if _locked(lock):
                    shutil.rmtree(folder, ignore_errors=True)


def _locked(lock: TextIO) -> bool:
    """Take the lock, which ends with the file or the process; False if another process has it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _changed_at(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:  # another process has just removed it
        return 0.0
