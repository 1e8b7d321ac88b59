"""The folder of a bundle as it lies on disk, which may be replaced at any time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.network.bundle import Bundle, read_bundle
from shared.network.find import bundle_folder
from shared.network.manifest import FILES, MANIFEST

if TYPE_CHECKING:
    from pathlib import Path

_Stamp = tuple[int, int, int, int] | None

State = tuple[_Stamp, ...]
"""Changes with every file of a bundle that is replaced or written to. May be compared only."""

ABSENT: State = ()
"""The state where there is no bundle."""


class BundleFolder:
    """Reads the folder; every method blocks."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def named(cls, model: str) -> BundleFolder | None:
        """The folder that the setting `model` names; None if it names another source. Raises ModelError for an empty folder."""
        path = bundle_folder(model)
        return cls(path) if path else None

    def state(self) -> State:
        """What can be seen without reading the files. A folder that cannot be looked at is absent."""
        stamps = tuple(_stamp(self.path / name) for name in (MANIFEST, *FILES))
        return ABSENT if stamps[0] is None else stamps

    def read(self) -> Bundle:
        """Read and verify it. Raises ModelError."""
        return read_bundle(self.path)


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
