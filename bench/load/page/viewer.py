"""A viewer without a browser: it follows the events of a page and asks for the pictures that they name, as the page does."""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import threading
import time
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_TIMEOUT_S = 30.0
_LOOK_S = 1.0
"""How often the page says which cameras are looked at."""
_FINE = (http.client.OK, http.client.NO_CONTENT, http.client.NOT_FOUND)


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


class Eyes:
    """What the page of an edge asks for while it is on the screen, with all cameras in sight."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked_s = -math.inf
        self._seen: dict[str, int] = {}

    def __call__(self, state: Mapping[str, Any]) -> list[str]:
        """The paths that it asks for after this state."""
        cameras = {each["key"]: each["picture"] for each in state["cameras"]}
        paths = []
        if self._clock() - self._looked_s >= _LOOK_S:
            self._looked_s = self._clock()
            paths.append("/watch?" + urlencode([("camera", name) for name in cameras]))
        for name, picture in cameras.items():
            if picture and picture["frame"] != self._seen.get(name):
                self._seen[name] = picture["frame"]
                paths.append(f"/snapshot/{quote(name, safe='')}.jpg?frame={picture['frame']}")
        return paths


class Viewer:
    """Follows the stream of a page on a thread of its own until the block ends."""

    def __init__(
        self, url: str, eyes: Callable[[Mapping[str, Any]], Sequence[str]] = lambda _state: ()
    ) -> None:
        """`url` is that of the server; `eyes` says which paths a state makes a page ask for."""
        self._netloc = urlsplit(url).netloc
        self._eyes = eyes
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
            answer = self._get(self._stream, "/events")
            for state in states(iter(answer)):
                self.states += 1
                self.last = state
                for path in self._eyes(state):
                    there = self._get(asking, path)
                    self.seen += bool(there.read()) and there.status == http.client.OK
                if self._over.is_set():
                    return
            if not self._over.is_set():
                self.failure = "the stream ended"

    def _get(self, connection: http.client.HTTPConnection, path: str) -> http.client.HTTPResponse:
        """Raises OSError if the answer is a refusal. That a picture is kept no longer is none."""
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status not in _FINE:
            raise OSError(f"GET {path}: {answer.status} {answer.read(500)!r}")
        return answer
