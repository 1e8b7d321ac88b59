"""Endpoints that take a body, which is bounded while it arrives."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

from tornado.escape import json_encode
from tornado.web import stream_request_body

from cloud.access.audit import Action
from cloud.bodies.body import Body
from cloud.http.base import Handler
from shared.errors import LimitError, RequestError
from shared.limits import MAX_STRANGERS_BODY_BYTES

if TYPE_CHECKING:
    from cloud.access.budget import Place
    from cloud.service import Service

_DRAIN_FACTOR = 4
"""A refusal is sent at once, yet the body is read and dropped up to this many limits: closing a connection while the client
is still sending resets it, and the client would see the reset instead of the refusal."""

_TURN_BYTES = 64 << 10


@stream_request_body
class BodyHandler(Handler):
    """Takes a body of at most `limit()` bytes, within the server's budget for all bodies together.

    In a subclass the method that brings the body, `body_method`, calls `complete`, which calls `respond`.
    """

    body_method: ClassVar[str] = "POST"
    brings: ClassVar[Action] = Action.READ
    """What the body is for, in the words of the audit."""

    def initialize(self, service: Service) -> None:
        super().initialize(service)
        self._body = Body()
        self._refused = self._ends = False
        self._read_on = 0  # bytes since other connections had a turn
        self._most_read = _DRAIN_FACTOR * self.limit()
        self._place: Place | None = None
        if self.request.method == self.body_method:
            self.action = self.brings

    def limit(self) -> int:
        """Largest body in bytes."""
        return self.service.settings.max_body_bytes

    def is_frame(self) -> bool:
        """Whether the reserve of memory for frames is open to this body."""
        return False

    def admit(self) -> None:
        """Raise RequestError for what can be refused before the body is read."""

    async def respond(self, body: Body) -> None:
        """Answer the complete body."""
        raise NotImplementedError

    def prepare(self) -> None:
        if self.request.method != self.body_method:
            self._ends = True  # Tornado closes a connection whose request is answered before it is read
            super().prepare()
            self._ends = False
            return
        most = self._most_read
        try:
            self._read_at_most(min(most, MAX_STRANGERS_BODY_BYTES))
            super().prepare()
            self._read_at_most(most)
            account = self.account
            self.admit()
            self._check_size(self._declared())
            self._place = self.service.bodies.open(self, account, is_frame=self.is_frame())
        except RequestError as error:
            self._refuse(error)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        if self._ends:
            self.set_header("Connection", "close")
        super().write_error(status_code, **kwargs)

    async def data_received(self, chunk: bytes) -> None:
        if self._finished or self._refused or self.request.method != self.body_method:
            return
        try:
            self._reserve(len(chunk))  # what arrived: a large declaration costs its sender nothing
        except RequestError as error:
            self._refuse(error)
            return
        self._body.add(chunk, self.elapsed_s())
        self.received_bytes = self._body.size
        # Give other connections a turn: a body that arrives as fast as it is read would be read in one turn of the loop.
        # (Once for so many bytes, as those that come by TLS come in pieces of 16 kB.)
        self._read_on += len(chunk)
        if self._read_on >= _TURN_BYTES and self._body.size != self._declared():
            self._read_on = 0
            await asyncio.sleep(0)

    async def complete(self) -> None:
        """Call `respond`, unless the request was refused while its body came."""
        if not self._refused:
            if self._place:
                self.service.bodies.complete(self._place)
            await self.respond(self._body)
            return
        self.finish()
        if self._headers.get("Connection") == "close":
            self.connection().close()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if not self._finished and not self._refused:
            self.service.metrics.abandoned.inc()
            self.ended("abandoned")
        self.release()

    def on_finish(self) -> None:
        if not self._refused:
            super().on_finish()
        self.release()

    def release(self) -> None:
        """Give back what this request holds; may be called twice."""
        if self._place:
            self.service.bodies.release(self._place)
        self._body.release()

    def give_up(self, error: RequestError) -> None:
        """Refuse this request while its body is still arriving, and end its connection."""
        if not self._finished and not self._refused:
            self._refuse(error, at_once=True)

    def _refuse(self, error: RequestError, *, at_once: bool = False) -> None:
        """Answer before the end of the body. The rest of it is dropped, then the connection is free again."""
        self.set_status(error.status)
        super().on_finish()
        self.release()
        self._refused = True
        answer = json_encode(self.refusal(error.status, error)).encode()
        self.set_header("Content-Type", self.json_type)
        self.set_header("Content-Length", len(answer))
        at_once |= self.crowded or "Expect" in self.request.headers or self._declared() > self._most_read
        if at_once or isinstance(error, LimitError) or self.service.lifecycle.is_ending:
            self.set_header("Connection", "close")
        self.write(answer)
        if at_once:
            self.finish()
        else:
            self.flush()

    def _read_at_most(self, size: int) -> None:
        self._most_read = size
        self.connection().set_max_body_size(size)

    def _declared(self) -> int:
        """The body's length in bytes by its header; 0 if it does not say."""
        text = self.request.headers.get("Content-Length", "")
        return int(text[:20]) if text.isdecimal() else 0

    def _check_size(self, size: int) -> None:
        if size > self.limit():
            raise LimitError(f"a body of {size} bytes", accepted={"max_bytes": self.limit()})

    def _reserve(self, size: int) -> None:
        self._check_size(self._body.size + size)
        if self._place:
            self.service.bodies.reserve(self._place, size)
