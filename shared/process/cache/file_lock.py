"""A lock that processes on one machine share, by a file."""

from __future__ import annotations

import contextlib
import fcntl
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def file_lock(path: Path, what: str) -> Iterator[None]:
    """Hold the lock at `path` in the block; it ends with the process at the latest. The file is removed.

    If another process has it, one line in the log says that this one waits for the other, which `what` (`makes the network`).
    Raises OSError where there can be no lock.
    """
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _log.info("waiting for another process that %s", what)
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            # Whoever waits for this file gets it, and whoever comes later makes a new one: who checks first what has been done
            # meanwhile loses nothing.
            with contextlib.suppress(OSError):  # the disk may only be read by now
                path.unlink(missing_ok=True)
