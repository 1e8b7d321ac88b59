"""A bundle's files as clients may fetch them."""

from __future__ import annotations

import hashlib
import os
import weakref
from typing import TYPE_CHECKING

from shared.errors import ModelError
from shared.network.manifest import FILES, MANIFEST, parse_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from shared.network.bundle import Bundle


class BundleFiles:
    """The files of one bundle, kept open: they stay those of this bundle whatever becomes of its folder.

    They are closed once nothing refers to this object any more, a transfer in progress included. For any thread.
    """

    def __init__(self, bundle: Bundle) -> None:
        """Open them all. Raises ModelError if they are not those of `bundle` any more."""
        self._entries = bundle.manifest.files
        self._open: dict[str, int] = {}
        self._closing = weakref.finalize(self, _close, self._open)
        try:
            self.manifest = (bundle.folder / MANIFEST).read_bytes()
            if parse_manifest(self.manifest, f"bundle {bundle.folder}").digest != bundle.manifest.digest:
                raise _changed(bundle.folder)
            for name in FILES:
                self._open[name] = os.open(bundle.folder / name, os.O_RDONLY)
                if os.fstat(self._open[name]).st_size != self.bytes_of(name):
                    raise _changed(bundle.folder)
        except OSError as error:
            self._closing()
            raise ModelError(f"bundle {bundle.folder}: {error.strerror or error}") from None
        except ModelError:
            self._closing()
            raise
        self.manifest_sha256 = hashlib.sha256(self.manifest).hexdigest()

    def bytes_of(self, name: str) -> int:
        """The size of one of the three files."""
        return self._entries[name].bytes

    def sha256_of(self, name: str) -> str:
        """The SHA-256 of one of the three files, by the manifest."""
        return self._entries[name].sha256

    def read(self, name: str, offset: int, count: int) -> bytes:
        """At most `count` bytes from `offset` on; none if the file was cut off there. Raises OSError."""
        return os.pread(self._open[name], count, offset)


def _changed(folder: Path) -> ModelError:
    return ModelError(f"bundle {folder}: it was changed while it was read")


def _close(opened: dict[str, int]) -> None:
    for descriptor in opened.values():
        os.close(descriptor)
    opened.clear()
