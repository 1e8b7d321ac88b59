"""A viewer without a browser: it follows the events of a page and asks for the pictures that they name, as the page does."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_TIMEOUT_S = 30.0


def states(lines: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """The states among the lines of a stream of server-sent events; heartbeats are left out. It ends with `over`."""
    name, data = "", b""
    for raw in lines:
        line = raw.rstrip(b"\r\n")
        if line:
            field, _, value = line.partition(b": ")
            if field == b"event":
                name = value.decode()
            elif field == b"data":
                data += value
            continue
        if name == "over":
            return
        if not name and data:
            yield json.loads(data)
        name, data = "", b""


class Viewer:
    """Follows one stream on a thread of its own until the block ends."""

    def __init__(
        self,
        url: str,
        pictures: Callable[[Mapping[str, Any]], Sequence[str]] = lambda _state: (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`url` is that of the stream; `pictures` says which paths a state makes a page ask for."""
        address = urlsplit(url)
        self._netloc, self._path = address.netloc, address.path
        self._pictures = pictures
        self._headers = dict(headers or {})
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._stream: http.client.HTTPConnection | None = None
        self.states = 0
        self.seen = 0
        """Pictures."""
        self.last: dict[str, Any] = {}
        self.failure: str | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._stream and (channel := self._stream.sock):
            with contextlib.suppress(OSError):
                channel.shutdown(2)
        self._thread.join(_TIMEOUT_S)

    def _watch(self) -> None:
        try:
            self._follow()
        except (OSError, http.client.HTTPException, ValueError) as error:
            if not self._over.is_set():
                self.failure = repr(error)

    def _follow(self) -> None:
        self._stream = http.client.HTTPConnection(self._netloc, timeout=_TIMEOUT_S)
        asking = http.client.HTTPConnection(self._netloc, timeout=_TIMEOUT_S)
        with contextlib.closing(self._stream), contextlib.closing(asking):
            answer = self._get(self._stream, self._path)
            for state in states(iter(answer)):
                self.states += 1
                self.last = state
                for path in self._pictures(state):
                    self.seen += bool(self._get(asking, path).read())
                if self._over.is_set():
                    return
            if not self._over.is_set():
                self.failure = "the stream ended"

    def _get(self, connection: http.client.HTTPConnection, path: str) -> http.client.HTTPResponse:
        """Raises OSError if the answer is a refusal."""
        connection.request("GET", path, headers=self._headers)
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise OSError(f"GET {path}: {answer.status} {answer.read(500)!r}")
        return answer
