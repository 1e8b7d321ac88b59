"""Turns of processes on one machine that would spoil each other's measurements, by files with locks.

    <path>           held by the one whose turn it is
    <path>-present   shared by all who have come and not yet left

Both go with the last process, and a process that is killed loses its locks.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_log = logging.getLogger(__name__)

_LOOK_S = 0.02


@contextlib.contextmanager
def turn(
    path: Path, what: str, patience_s: float, sleep: Callable[[float], object] = time.sleep
) -> Iterator[bool]:
    """Run the block while no other process runs its own; true if one did before it. Then wait until nobody is left who has come.

    So that whoever was first does not go on to something that spoils the turn of the next. Each wait ends after `patience_s`
    seconds: the others may hang. `what` (`times engines`) is what the log says of them. Raises OSError where there can be no lock.
    """
    present = path.with_name(f"{path.name}-present")
    with contextlib.ExitStack() as stack:
        # Who leaves holds it alone for an instant.
        here, _ = _lock(present, fcntl.LOCK_SH, patience_s, sleep)
        stack.callback(_leave, present, here)
        own, waited = _lock(
            path, fcntl.LOCK_EX, patience_s, sleep, f"waiting for another process that {what}"
        )
        try:
            yield waited
        finally:
            _leave(path, own)
        with contextlib.suppress(OSError):  # the folder has become unusable: nothing to wait for
            fcntl.flock(here, fcntl.LOCK_UN)
            told = f"waiting until no other process {what}"
            last, _ = _lock(present, fcntl.LOCK_EX, patience_s, sleep, told)
            _leave(present, last)


def _lock(
    path: Path, kind: int, patience_s: float, sleep: Callable[[float], object], told: str = ""
) -> tuple[TextIO, bool]:
    """The open file, locked unless patience ended, and whether this had to wait, which the log is `told`."""
    looks = max(1, round(patience_s / _LOOK_S))
    for look in range(looks):
        file = path.open("a")
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, kind | fcntl.LOCK_NB)
            if _is_at(path, file):
                return file, look > 0
            file.close()  # whoever had it has removed it in between
            continue
        file.close()
        if look == 0 and told:
            _log.info("%s", told)
        sleep(_LOOK_S)
    return path.open("a"), True


def _is_at(path: Path, file: TextIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _leave(path: Path, file: TextIO) -> None:
    """Remove the file if its lock is ours alone, and give the lock up."""
    with file, contextlib.suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(path, file):
            path.unlink(missing_ok=True)
