"""What all endpoints share: errors as JSON, counting, and bodies that are bounded while they arrive."""

from __future__ import annotations

import asyncio
import logging
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, cast

from tornado.escape import json_encode
from tornado.web import HTTPError, RequestHandler, stream_request_body

from cloud.access.audit import Action, Outcome
from cloud.bodies.body import Body
from cloud.metrics import ENDPOINTS
from shared.errors import BusyError, LimitError, RequestError
from shared.security.escape import shown
from shared.wire.http import content_digest

if TYPE_CHECKING:
    from tornado.http1connection import HTTP1Connection

    from cloud.service import Service

_log = logging.getLogger(__name__)

_DRAIN_FACTOR = 4
"""A refusal is sent at once, yet the body is read and dropped up to this many limits: closing a connection while the client
is still sending resets it, and the client would see the reset instead of the refusal."""

_MAX_TEXT = 400
"""Characters of a refusal: it may quote the request, and a profile's names are as long as their sender likes."""


class Handler(RequestHandler):
    """Answers in JSON, errors included, and counts requests."""

    endpoint: ClassVar[str] = ""
    """The metrics' label for this endpoint, if it is not the path."""
    action = Action.READ
    """What the client wants, in the words of the audit."""
    received_bytes = 0
    """Bytes of the request's body so far."""

    def initialize(self, service: Service) -> None:
        self.service = service
        self._arrived = time.monotonic()  # Tornado's request_time() is by the wall clock, which may be set

    def client(self) -> str:
        """Who the request is from, for the ledger and the audit: the address, unless a key says more."""
        return str(self.request.remote_ip)

    def note(self, outcome: Outcome, *, reason: str | None = None, subject: str | None = None) -> None:
        """Write a line of the audit about this request."""
        size, seconds = self.received_bytes, self.elapsed_s()
        self.service.audit.note(
            self.client(), self.action, outcome, reason=reason, subject=subject, size=size, seconds=seconds
        )

    def elapsed_s(self) -> float:
        """Seconds since the header arrived."""
        return time.monotonic() - self._arrived

    def connection(self) -> HTTP1Connection:
        """The client's connection."""
        return cast("HTTP1Connection", self.request.connection)  # the only kind that this server makes

    def set_default_headers(self) -> None:
        self.set_header("Server", "splitdnn")

    def head(self, *arguments: str, **named: str) -> Any:
        """GET without its body, which Tornado leaves out."""
        return self.get(*arguments, **named)

    def finish_json(self, text: bytes | str) -> None:
        """Finish with JSON that is encoded already."""
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.finish(text)

    def finish_sealed(self, body: bytes) -> None:
        """Finish with JSON that is encoded already, and its digest (RFC 9530): TCP's checksum lets one damage in 65,536 pass."""
        self.set_header("Content-Digest", content_digest(body))
        self.finish_json(body)

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None))[1]
        super().send_error(error.status if isinstance(error, RequestError) else status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.finish(self.refusal(status_code, kwargs.get("exc_info", (None, None))[1]))

    def refusal(self, status_code: int, error: BaseException | None) -> dict[str, Any]:
        """What was wrong, the reason under which it is counted, and what is accepted. Details of bugs are not sent."""
        if isinstance(error, RequestError):
            text, reason, accepted = shown(str(error), _MAX_TEXT), error.reason, error.accepted
            if error.retryable:
                self.set_header("Retry-After", "1")
        elif isinstance(error, HTTPError):
            text, reason = error.get_message() or HTTPStatus(status_code).phrase, "http"
            accepted = self._methods() if status_code == HTTPStatus.METHOD_NOT_ALLOWED else None
            if accepted:
                self.set_header("Allow", ", ".join(accepted))
        else:
            text, reason, accepted = "internal error; see the server's log", "internal", None
        if reason != "http":
            self.service.metrics.rejected.labels(reason=reason).inc()
            self.note(Outcome.FAILED if reason == "internal" else Outcome.REFUSED, reason=reason)
            _log.info("%s refused with %d (%s): %s", self.request.path[:_MAX_TEXT], status_code, reason, text)
        return {"error": text, "reason": reason, "accepted": accepted}

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if not isinstance(value, RequestError | HTTPError):  # refusals; a scanner's 404s are worth no line
            super().log_exception(typ, value, tb)

    def on_finish(self) -> None:
        path = self.endpoint or (self.request.path if self.request.path in ENDPOINTS else "other")
        self.service.metrics.requests.labels(endpoint=path, code=str(self.get_status())).inc()
        self.service.metrics.duration.labels(endpoint=path).observe(self.elapsed_s())
        outcome = "refused" if self.get_status() >= HTTPStatus.BAD_REQUEST else "answered"
        self.service.metrics.clients.ended(None, outcome, self.received_bytes)

    def _methods(self) -> list[str]:
        own = {
            name
            for name in ("GET", "POST", "PUT")
            if getattr(type(self), name.lower()) is not getattr(RequestHandler, name.lower())
        }
        return sorted(own | {"HEAD"} if "GET" in own else own)


@stream_request_body
class BodyHandler(Handler):
    """Takes a body of at most `limit()` bytes, within the server's budget for all bodies together.

    In a subclass the method that brings the body, `body_method`, calls `complete`, which calls `respond`.
    """

    body_method: ClassVar[str] = "POST"
    brings: ClassVar[Action] = Action.FRAME

    def initialize(self, service: Service) -> None:
        super().initialize(service)
        self._body = Body()
        self._refused = False
        self.action = self.brings if self.request.method == self.body_method else Action.READ

    def limit(self) -> int:
        """Largest body in bytes."""
        return self.service.settings.max_body_bytes

    def admit(self) -> None:
        """Raise RequestError for what can be refused before the body is read."""

    async def respond(self, body: Body) -> None:
        """Answer the complete body."""
        raise NotImplementedError

    def prepare(self) -> None:
        if self.request.method != self.body_method:
            return
        self.connection().set_max_body_size(_DRAIN_FACTOR * self.limit())
        try:
            self.admit()
            self._check_size(self._declared())
        except RequestError as error:
            self._refuse(error)

    async def data_received(self, chunk: bytes) -> None:
        if self._finished or self._refused or self.request.method != self.body_method:
            return
        try:
            self._reserve(
                len(chunk)
            )  # what arrived, not what was declared: a large declaration costs its sender nothing
        except RequestError as error:
            self._refuse(error)
            return
        self._body.add(chunk, self.elapsed_s())
        self.received_bytes = self._body.size
        # Give other connections a turn: a body that arrives as fast as it is read would be read in one turn of the loop.
        if self._body.size != self._declared():
            await asyncio.sleep(0)

    async def complete(self) -> None:
        """Call `respond`, unless the request was refused while its body came."""
        if not self._refused:
            await self.respond(self._body)
            return
        self.finish()
        if self._headers.get("Connection") == "close":
            self.connection().close()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if not self._finished and not self._refused:
            self.service.metrics.abandoned.inc()
            self.service.metrics.clients.ended(None, "abandoned", self.received_bytes)
        self.release()

    def on_finish(self) -> None:
        if not self._refused:
            super().on_finish()
        self.release()

    def release(self) -> None:
        """Give back what this request holds; may be called twice."""
        self._account(-self._body.size)
        self._body.release()

    def _refuse(self, error: RequestError) -> None:
        """Answer before the end of the body. The rest of it is dropped, then the connection is free again."""
        self.set_status(error.status)
        super().on_finish()
        self.release()
        self._refused = True
        answer = json_encode(self.refusal(error.status, error)).encode()
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.set_header("Content-Length", len(answer))
        at_once = "Expect" in self.request.headers or self._declared() > _DRAIN_FACTOR * self.limit()
        if at_once or isinstance(error, LimitError):
            self.set_header("Connection", "close")
        self.write(answer)
        if at_once:
            self.finish()
        else:
            self.flush()

    def _declared(self) -> int:
        """The body's length in bytes by its header; 0 if it does not say."""
        text = self.request.headers.get("Content-Length", "")
        return int(text[:20]) if text.isdecimal() else 0

    def _check_size(self, size: int) -> None:
        if size > self.limit():
            raise LimitError(f"a body of {size} bytes", accepted={"max_bytes": self.limit()})

    def _reserve(self, size: int) -> None:
        self._check_size(self._body.size + size)
        if self.service.buffered_bytes + size > self.service.settings.max_buffered_bytes:
            raise BusyError("too many request bodies are being received; try again in a second")
        self._account(size)

    def _account(self, size: int) -> None:
        self.service.buffered_bytes += size
        self.service.metrics.buffered_bytes.set(self.service.buffered_bytes)
