"""The token that this process shows to others: from a file, which is read again when it changes.

Nothing is lost while one token replaces another, as long as both are let in for two seconds; and if not, a request that was refused
for its token is sent once more with the new one.
"""

from __future__ import annotations

import logging
import time
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.errors import SettingsError
from shared.security.tokens.keyring import TOKEN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_log = logging.getLogger(__name__)

_LOOK_S = 1.0
_MAX_BYTES = 4096


class Bearer:
    """Whoever holds one sends `headers()`. It shows nothing of the token, not even when it is printed."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Without a token, which sends nothing."""
        self._clock = clock
        self._path: Path | None = None
        self._token: str | None = None
        self._looked = self._clock()
        self._seen: object = None
        self._doubt = ""

    @classmethod
    def of_file(cls, path: str | None, *, clock: Callable[[], float] = time.monotonic) -> Bearer:
        """The token that a file holds, alone; none for None. Raises SettingsError if it holds none."""
        bearer = cls(clock=clock)
        if path:
            bearer._path = Path(path).expanduser()
            try:
                bearer._read()
            except (OSError, ValueError) as error:
                raise SettingsError(bearer._problem(error)) from None
        return bearer

    @classmethod
    def of_token(cls, token: str | None) -> Bearer:
        """A token that is given; none for None. Raises SettingsError for what is none."""
        bearer = cls()
        if token is not None:
            try:
                bearer._token = _checked(token)
            except ValueError as error:
                raise SettingsError(f"token: {error}") from None
        return bearer

    def __bool__(self) -> bool:
        return self._token is not None

    async def show(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        """A middleware of aiohttp's client, whose types shared/ does not know: shows the token, and once more if it was refused and there is another by now."""
        request.headers.update(self.headers())
        response = await handler(request)
        if response.status == HTTPStatus.UNAUTHORIZED and self.renewed():
            response.release()
            request.headers.update(self.headers())
            response = await handler(request)
        return response

    def headers(self) -> dict[str, str]:
        """What a request says to show the token; looks at the file at most once a second."""
        if self._path and self._clock() - self._looked >= _LOOK_S:
            self.renewed()
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def renewed(self) -> bool:
        """Look at the file now; whether there is another token in it. One that cannot be read changes nothing, and is told once."""
        if self._path is None:
            return False
        before = self._token
        try:
            self._read()
        except (OSError, ValueError) as error:
            problem = self._problem(error)
            if problem not in (self._seen, self._doubt):
                self._doubt = problem  # perhaps it is being written
            elif problem != self._seen:
                self._seen = problem
                _log.warning("%s; the token from before is shown", problem)
            return False
        return self._token != before

    def _read(self) -> None:
        assert self._path
        self._looked = self._clock()
        status = self._path.stat()
        state = status.st_mtime_ns, status.st_size, status.st_ino
        if state == self._seen:
            return
        with self._path.open("rb") as file:
            self._token = _checked(file.read(_MAX_BYTES).decode("utf-8", "replace"))
        self._seen = state

    def _problem(self, error: Exception) -> str:
        what = (error.strerror or type(error).__name__) if isinstance(error, OSError) else error
        return f"file of a token {self._path}: {what}"


def _checked(text: str) -> str:
    token = text.strip()
    if not TOKEN.fullmatch(token):
        raise ValueError(
            "it holds no token; accepted: one alone, `sdn_` and 43 characters, as `splitdnn token new` shows it"
        )
    return token
