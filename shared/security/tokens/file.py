"""A file of tokens that is read again when it changes: tokens come and go while requests flow."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import SettingsError
from shared.limits import MAX_TOKEN_FILE_BYTES
from shared.process.settled import Settled
from shared.security.tokens.keyring import Keyring, parse_tokens

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_log = logging.getLogger(__name__)

LOOK_S = 1.0
"""Seconds between two looks. A change is taken at the second look that finds it, as the first may find a file that is being written: a
token that is taken out of the file is refused two such times later at most."""


class TokenFile:
    """The tokens of a file, as they were when it could last be read. Read on one thread at a time, used on any."""

    def __init__(self, path: str, *, failed: Callable[[], object] = lambda: None) -> None:
        """Reads it at once; `failed` is called for each change that cannot be taken. Raises SettingsError."""
        self._path = Path(path).expanduser()
        self._failed = failed
        try:
            self._settled = Settled(self._state())
            self.keyring = self._read()
        except (OSError, ValueError) as error:
            raise SettingsError(self._problem(error)) from None
        if not len(self.keyring):
            _log.warning("%s holds no token, so nobody has one", self._path)

    def refresh(self) -> bool:
        """Read it if it has changed and changes no more; returns whether its tokens are new.

        One that cannot be read changes nothing, and is told once.
        """
        state: object
        try:
            state = self._state()
        except OSError as error:
            state = type(error)
        if not self._settled.has_changed(state):
            return False
        try:
            keyring = self._read()
            if self._state() != state:
                return False
        except (OSError, ValueError) as error:
            self._tell(error)
            return False
        self.keyring = keyring
        _log.info("%s: %d tokens", self._path, len(self.keyring))
        return True

    async def watch(
        self,
        changed: Callable[[], object],
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Look for changes for ever, off the event loop, and call `changed` on it after each that was taken."""
        while True:
            await sleep(LOOK_S)
            if await asyncio.to_thread(self.refresh):
                changed()

    def _state(self) -> object:
        # Also a secret of Kubernetes, which is a link to a link that is swapped.
        status = self._path.stat()
        return status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev

    def _read(self) -> Keyring:
        with self._path.open("rb") as file:
            data = file.read(MAX_TOKEN_FILE_BYTES + 1)
        if len(data) > MAX_TOKEN_FILE_BYTES:
            raise ValueError(f"it has more than {MAX_TOKEN_FILE_BYTES} bytes")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ValueError("it is not UTF-8") from None
        return parse_tokens(text)

    def _tell(self, error: Exception) -> None:
        self._failed()
        _log.error("%s; the tokens from before stay in force", self._problem(error))

    def _problem(self, error: Exception) -> str:
        what = (error.strerror or type(error).__name__) if isinstance(error, OSError) else error
        return f"file of tokens {self._path}: {what}"
