"""GET requests to a camera: with its password in whatever way it asks for it, and answers of any length read piece by piece."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from email.message import Message
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
from yarl import URL

from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from edge.sources.live.address import Address

_Result = TypeVar("_Result")

_MAX_REDIRECTS = 5
_PIECE_BYTES = 256 << 10
_HEADERS = {"Cache-Control": "no-cache", "Accept-Encoding": "identity"}
_REFUSALS = {
    401: "it refuses user and password, or asks for them",
    403: "it does not allow this",
    404: "it has no such path",
}


@dataclass(frozen=True)
class Head:
    """What an answer says of itself. Its status is 200."""

    content_type: str
    """In lower case and without parameters: `image/jpeg`; empty if not said."""
    length: int | None
    """Bytes of the whole answer; None if not said."""
    boundary: str
    """What separates the parts of `multipart/…`; empty if not said."""


class NotHttpError(SourceError):
    """What answers does not keep to HTTP closely enough for this client."""


class StatusError(SourceError):
    """Another status than 200."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.lasting = 400 <= status < 500 and status not in (408, 425, 429)
        """Whether asking once more is of no use."""


class Web:
    """One address, asked by one thread, one request at a time; the connection is kept. `interrupt` may come from any."""

    def __init__(self, address: Address, *, open_timeout_s: float, read_timeout_s: float) -> None:
        self._address = address
        self._open_timeout_s = open_timeout_s
        self._read_timeout_s = read_timeout_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: aiohttp.ClientSession | None = None
        self._response: aiohttp.ClientResponse | None = None
        self._task: asyncio.Task[Any] | None = None
        self._lock = Lock()
        self._interrupted = False
        self._peeked = b""
        user, password = address.user, address.password or ""
        # Whoever asks for the password in plain text gets it so; it is not sent unasked, nor to another host.
        self._login: dict[str, Any] = (
            {} if user is None else {"middlewares": (aiohttp.DigestAuthMiddleware(user, password),)}
        )

    def get(self) -> Head:
        """Ask, and wait for the head of the answer, after redirections. Raises StatusError, NotHttpError or SourceError."""
        self._peeked = b""
        self._call(self._get())
        response = self._response
        assert response is not None
        message = Message()
        message["Content-Type"] = kind = response.headers.get("Content-Type", "")
        return Head(
            kind.partition(";")[0].strip().lower(),
            response.content_length,
            str(message.get_param("boundary") or ""),
        )

    def piece(self) -> bytes:
        """The next piece of the answer, waited for; empty at its end. Raises SourceError."""
        piece, self._peeked = self._peeked or self._call(self._piece()), b""
        return piece

    def peek(self) -> bytes:
        """The beginning of the answer, which `piece` gives once more."""
        self._peeked = self.piece()
        return self._peeked

    def peek_whole(self, limit: int, until: bytes) -> bool:
        """Wait for the whole answer, which `piece` gives once more; False if it is longer than `limit`, or `until` is in it."""
        found, searched, whole = bytearray(self.peek()), 0, False
        while not whole and len(found) <= limit and found.find(until, searched) < 0:
            searched = max(0, len(found) - len(until))
            piece = self._call(self._piece())
            whole = not piece
            found += piece
        self._peeked = bytes(found)
        return whole

    def body(self, limit: int) -> bytes:
        """The whole answer. Raises SourceError, also where it is longer than `limit` bytes."""
        found = bytearray()
        while piece := self.piece():
            found += piece
            if len(found) > limit:
                raise SourceError(f"{self._address.name}: its answer is longer than {limit >> 20} MiB")
        return bytes(found)

    def interrupt(self) -> None:
        """End the request that waits, and all later ones."""
        with self._lock:
            self._interrupted = True
            if self._task and self._loop:
                self._loop.call_soon_threadsafe(self._task.cancel)

    def close(self) -> None:
        """Hang up; for the thread that asks."""
        with self._lock:
            loop, self._loop = self._loop, None
            self._task = None
        if loop is not None:
            if self._response is not None:
                self._response.close()
            if self._session is not None:
                loop.run_until_complete(self._session.close())
            loop.run_until_complete(asyncio.sleep(0))  # what was closed takes note of it
            loop.close()
        self._response = self._session = None

    def _call(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        name = self._address.name
        with self._lock:
            if self._interrupted:
                coroutine.close()
                raise SourceError(f"{name}: is closed")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
            loop = self._loop
            task = loop.create_task(coroutine)
            self._task = task
        try:
            return loop.run_until_complete(task)
        except asyncio.CancelledError:
            raise SourceError(f"{name}: is closed") from None
        except aiohttp.ConnectionTimeoutError:
            raise SourceError(f"{name}: cannot be reached within {self._open_timeout_s:g} s") from None
        except TimeoutError:
            raise SourceError(
                f"{name}: no answer, or no more of it, for {self._read_timeout_s:g} s"
            ) from None
        except aiohttp.ClientConnectorError as error:
            raise SourceError(f"{name}: cannot be reached: {_words(error)}{self._address.hint}") from None
        except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError):
            raise SourceError(f"{name}: it hung up in the middle of an answer") from None
        except (aiohttp.TooManyRedirects, aiohttp.InvalidURL) as error:
            raise SourceError(f"{name}: it redirects to nowhere: {type(error).__name__}") from None
        except aiohttp.ClientResponseError:
            raise NotHttpError(f"{name}: its answer is no HTTP") from None
        except (aiohttp.ClientError, OSError) as error:
            raise SourceError(f"{name}: cannot be read: {_words(error)}") from None

    async def _get(self) -> None:
        session, user = self._session or self._started(), self._address.user
        self._session = session
        response = await self._asked(session)
        asked_for = " ".join(response.headers.getall("WWW-Authenticate", ())).lower()
        if response.status == 401 and user is not None and "basic" in asked_for and "digest" not in asked_for:
            told = aiohttp.encode_basic_auth(user, self._address.password or "", "utf-8")
            self._login = {"headers": {"Authorization": told}}
            response = await self._asked(session)
        if response.status != 200:
            what = _REFUSALS.get(response.status, response.reason or "no reason given")
            raise StatusError(
                f"{self._address.name}: it answers with status {response.status}: {what}{self._address.hint}",
                response.status,
            )

    def _started(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            headers=_HEADERS,
            # Cameras sign their certificates themselves, and FFmpeg does not ask who signed them either.
            connector=aiohttp.TCPConnector(ssl=False, limit=1),
            cookie_jar=aiohttp.CookieJar(unsafe=True),  # also those of a host that has no name
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=self._open_timeout_s, sock_read=self._read_timeout_s
            ),
            trust_env=True,  # proxies, as with FFmpeg
        )

    async def _asked(self, session: aiohttp.ClientSession) -> aiohttp.ClientResponse:
        if self._response is not None:
            self._response.close()
        url = URL(self._address.without_user, encoded=True)
        self._response = await session.get(url, max_redirects=_MAX_REDIRECTS, **self._login)
        return self._response

    async def _piece(self) -> bytes:
        response = self._response
        return b"" if response is None else await response.content.read(_PIECE_BYTES)


def _words(error: Exception) -> str:
    """What the system says, without the address."""
    found = getattr(error, "os_error", error)
    if isinstance(found, OSError) and found.errno and found.errno > 0:
        return os.strerror(found.errno)
    return str(getattr(found, "strerror", None) or type(found).__name__)
