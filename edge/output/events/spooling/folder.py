"""The spool's folder, which belongs to one process at a time."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from shared.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

_LOCK = "lock"


def take(folder: Path) -> int:
    """Make the folder, if there is none, and its lock this process's own; the lock ends when what is returned is closed.

    Raises SettingsError if another process has it, or the folder cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise unusable(folder, error) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise SettingsError(
            f"events {folder}: another process keeps its events there; give --events-folder a folder of its own"
        ) from None
    except OSError:  # not every file system has locks
        pass
    return lock


def unusable(folder: Path, error: OSError) -> SettingsError:
    """What the user is told."""
    return SettingsError(
        f"events {folder}: {error.strerror}; give --events-folder a folder that can be written to"
    )


def sync_folder(folder: Path) -> None:
    """Have the names of its files on the disk. Raises OSError."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
