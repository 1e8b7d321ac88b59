"""Compares a bundle's files with their digests while the network is compiled from them: hashing leaves the interpreter to others."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from shared.errors import ModelError
from shared.network.bundle import verify_files

if TYPE_CHECKING:
    from shared.network.bundle import Bundle


class Verification:
    """Begins at once, on a thread of its own. Nothing that was computed meanwhile is to be used before `passed` says so."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._failed = False
        self._thread = threading.Thread(target=self._run, name="verification", daemon=True)
        self._thread.start()

    def passed(self) -> bool:
        """Waits for the end; whether every file is the one that was written."""
        self._thread.join()
        return not self._failed

    def _run(self) -> None:
        try:
            verify_files(self._bundle.folder, self._bundle.manifest)
        except ModelError:  # whoever asks next reads the files again, and is told what is wrong
            self._failed = True
