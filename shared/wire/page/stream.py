"""Server-sent events: the newest state, to everybody who watches.

A viewer has no queue. Whoever reads slowly is given the newest state when the last one is taken, and has missed those between. The
state is made and encoded once for all viewers, and not at all while there are none.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, cast

from tornado.iostream import StreamClosedError

from shared.errors import UnavailableError
from shared.security.escape import escaped_json
from shared.wire.page.document import be_private

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from tornado.http1connection import HTTP1Connection
    from tornado.web import RequestHandler

_log = logging.getLogger(__name__)

MAX_VIEWERS = 32
"""At once, of one process."""
PERIOD_S = 0.25
"""Between two states, at least."""
_BEAT_S = 1.0
"""A viewer hears something at least so often, or knows that the connection is lost."""
_BYTES_PER_S = 1 << 19
"""A state that is long comes less often: so many bytes a second to each viewer."""
_SHARE = 0.05
"""Making states takes at most so much of the loop's time."""
_LONGEST_S = 5.0
"""Between two states, at most: a machine that stood still for a second has not made a long state."""
_LONG_BYTES = 64 << 10
"""A state of this length is encoded on a thread."""
_BEAT = b"event: beat\ndata: 1\n\n"
_OVER = b"event: over\ndata: 1\n\n"


class _Viewer:
    """One open page."""

    def __init__(self) -> None:
        self.text = b""
        self.is_over = False
        self.news = asyncio.Event()

    def offer(self, text: bytes) -> None:
        """The newest state takes the place of one that was not taken."""
        self.text = text
        self.news.set()

    def leave(self) -> None:
        """Its connection is closed, or is to be."""
        self.is_over = True
        self.news.set()

    async def next(self) -> bytes:
        """What to send now; waits for it, a heartbeat at most."""
        try:
            async with asyncio.timeout(_BEAT_S):
                await self.news.wait()
        except TimeoutError:
            return _BEAT
        self.news.clear()
        text, self.text = self.text, b""
        return text


class Stream:
    """Used on the event loop only."""

    def __init__(
        self,
        state: Callable[[], Mapping[str, Any] | Awaitable[Mapping[str, Any]]],
        *,
        most: int = MAX_VIEWERS,
        period_s: float = PERIOD_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`state` makes a JSON object of everything there is to see; at most `most` viewers have it, every `period_s` at the most."""
        self._state = state
        self._most = most
        self._period_s = period_s
        self._clock = clock
        self._viewers: set[_Viewer] = set()
        self._telling: asyncio.Task[None] | None = None
        self._closed = False
        self._latest = b""
        self._failed = False

    @property
    def viewers(self) -> int:
        """How many watch now."""
        return len(self._viewers)

    async def follow(self, handler: RequestHandler, still: Callable[[], bool]) -> None:
        """Answer a request with the states, until its sender leaves; `still` says whether he may see more.

        Three kinds of events: a state has no name, `beat` says that nothing has changed, and `over` comes last, when `still` is false or
        the server ends. Raises UnavailableError if there are as many viewers as may be.
        """
        if self._closed or len(self._viewers) >= self._most:
            raise UnavailableError(
                f"{len(self._viewers)} pages are open, which is as many as may be",
                accepted={"pages": self._most},
            )
        be_private(handler)
        handler.set_header("Content-Type", "text/event-stream; charset=UTF-8")
        handler.set_header("X-Accel-Buffering", "no")  # a proxy that collects an answer would show nothing
        if handler.request.method == "HEAD":
            return
        viewer = _Viewer()
        connection = cast("HTTP1Connection", handler.request.connection)
        connection.set_close_callback(viewer.leave)
        self._viewers.add(viewer)
        try:
            if self._telling is None or self._telling.done():
                self._telling = asyncio.create_task(self._tell())
            elif self._latest:
                viewer.offer(self._latest)
            while True:
                text = await viewer.next()
                if self._closed or not still():
                    text = _OVER
                elif viewer.is_over:
                    return
                handler.write(text)
                await handler.flush()
                if text is _OVER:
                    return
        except StreamClosedError:  # gone, or cut off for not reading
            return
        finally:
            self._viewers.discard(viewer)

    async def close(self) -> None:
        """Let every viewer go."""
        self._closed = True
        for viewer in self._viewers:
            viewer.leave()
        if self._telling:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)

    async def _tell(self) -> None:
        while self._viewers:
            text, took_s = await self._made()
            if text and text != self._latest:
                self._latest = text
                for viewer in self._viewers:
                    viewer.offer(text)
            pause_s = max(self._period_s, len(text) / _BYTES_PER_S, took_s / _SHARE)
            await asyncio.sleep(min(pause_s, _LONGEST_S))
        self._latest = b""

    async def _made(self) -> tuple[bytes, float]:
        """The event, and how long making it took; waiting for others does not count."""
        try:
            start_s = self._clock()
            state = self._state()
            if isawaitable(state):
                state = await state
                start_s = self._clock()
            if len(self._latest) < _LONG_BYTES:
                text = _encoded(state)
            else:
                text = await asyncio.to_thread(_encoded, state)
            return text, self._clock() - start_s
        except Exception:  # noqa: BLE001 - frames go on, and so do the heartbeats
            if not self._failed:
                _log.exception("the page's state could not be made; this is said once")
            self._failed = True
            return b"", 0.0


def _encoded(state: Mapping[str, Any]) -> bytes:
    """One event. Raises ValueError for what is no JSON, as NaN is."""
    text = json.dumps(state, separators=(",", ":"), allow_nan=False)
    return b"data: " + escaped_json(text).encode() + b"\n\n"
