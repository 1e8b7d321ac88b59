"""A password or keys in a file, which is read again when it changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from edge.output.events.delivery.broker.own_thread import on_own_thread
from shared.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

_LOOK_S = 1.0
_PATIENCE_S = 1.0
"""For the disk; what was read before is used after that."""
MAX_BYTES = 4096

_Value = TypeVar("_Value")


class SecretFile(Generic[_Value]):
    """Shows nothing of what it holds, not even when it is printed."""

    def __init__(
        self,
        path: str,
        flag: str,
        read: Callable[[bytes], _Value],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`read` makes a value of the file's bytes, or raises ValueError with words that quote nothing of them. `flag` names the file.

        Raises SettingsError if that fails now. Later it changes nothing but a line in the log.
        """
        self._path, self._flag, self._make = Path(path).expanduser(), flag, read
        self._clock = clock
        self._told = ""
        self._looking = False
        self._seen: object = None
        try:
            self._value = self._load()
        except (OSError, ValueError) as error:
            raise SettingsError(self._problem(error)) from None

    async def latest(self) -> _Value:
        """The latest one; the file is looked at once a second at most, on a thread, as its disk may hang."""
        if not self._looking and self._clock() - self._looked >= _LOOK_S:
            self._looking = True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE_S):
                    await on_own_thread(self._look)
        return self._value

    def _look(self) -> None:
        try:
            self._value = self._load()
        except (OSError, ValueError) as error:
            problem = self._problem(error)
            if problem != self._told:
                _log.warning("%s; what was read before stays in force", problem)
            self._told = problem
        finally:
            self._looking = False

    def _load(self) -> _Value:
        self._looked = self._clock()
        status = self._path.stat()
        state = status.st_mtime_ns, status.st_size, status.st_ino
        if state == self._seen:
            return self._value
        with self._path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES} bytes")
        value = self._make(data)
        self._seen, self._told = state, ""
        return value

    def _problem(self, error: Exception) -> str:
        what = (error.strerror or type(error).__name__) if isinstance(error, OSError) else error
        return f"{self._flag} {self._path}: {what}"


def password(data: bytes) -> bytes:
    """The first line, of any characters. Raises ValueError."""
    line = data.split(b"\n", 1)[0].removesuffix(b"\r")
    if not line:
        raise ValueError("it holds no password; accepted: one alone, on the first line")
    return line
