"""What all endpoints share: who is let in, errors as JSON, and counting."""

from __future__ import annotations

import asyncio
import time
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, cast

from tornado.escape import json_encode
from tornado.web import HTTPError, RequestHandler

from cloud.access.audit import Action
from cloud.access.refusals import OverQuotaError
from cloud.frames.sender import Sender, Told, told_of
from cloud.http.tls import certified
from cloud.metrics import ENDPOINTS
from shared.errors import ForbiddenError, RequestError, UnauthenticatedError
from shared.security.gate import NOBODY
from shared.wire.cloud_id import CLOUD_HEADER

if TYPE_CHECKING:
    from tornado.http1connection import HTTP1Connection

    from cloud.access.audit import Outcome
    from cloud.access.clients import Account
    from cloud.service import Service
    from shared.security.gate import Caller
    from shared.security.rights import Needs


def since(start_s: float) -> float:
    """Seconds since then, on the monotonic clock."""
    return time.monotonic() - start_s


class Handler(RequestHandler):
    """Answers in JSON, errors included, and counts requests."""

    endpoint: ClassVar[str] = ""
    """The metrics' label for this endpoint, if it is not the path."""
    needs: ClassVar[Needs]
    """What its caller must be allowed; each endpoint says it, or the server does not start."""
    health: ClassVar[bool] = False
    """Whether it is answered without a certificate where clients need one, as balancers and kubelets have none."""
    action = Action.READ
    """What the client wants, in the words of the audit."""
    received_bytes = 0
    """Bytes of the request's body so far."""
    json_type: ClassVar[str] = "application/json; charset=UTF-8"
    """The Content-Type of its answers in JSON."""
    crowded = False
    """Whether its client has too many connections, so that this one ends with the refusal."""

    def initialize(self, service: Service) -> None:
        self.service = service
        self.caller: Caller = NOBODY
        self.client = ""
        """Whom the request is charged to: the name of a token or a certificate, which makes it `known`, else an address."""
        self.known = False
        self._arrived = time.monotonic()  # Tornado's request_time() is by the wall clock, which may be set

    def needed(self) -> Needs:
        return self.needs  # what this request needs, where that depends on it

    def prepare(self) -> None:
        """Know whom this request is charged to, and whether that may do it, before anything is done for it."""
        self.client = self.service.proxies.client_of(self.request.remote_ip or "", self.request.headers)
        try:
            if certificate := certified(self.request, self.service.settings, is_open=self.health):
                self.client, self.known = certificate, True
            self.caller = self.service.door.enter(self.request, self.needed())
            if self.caller.name:
                self.client, self.known = self.caller.name, True
        except ForbiddenError as error:
            if error.name:
                self.client, self.known = error.name, True
            raise
        finally:
            self.crowded = not self.service.crowd.own(self.connection().stream, self.client)
        if self.crowded:
            raise OverQuotaError(
                "this client has as many connections as it may have, and all are busy",
                accepted={"connections": self.service.settings.client_connections},
            )

    @cached_property
    def account(self) -> Account:
        """The client's account. Raises BusyError if there are too many clients."""
        return self.service.clients.account(self.client, known=self.known)

    @property
    def sender(self) -> Sender:
        """Whom it is charged to, as far as that is known yet."""
        return Sender(self.service, self.client, self.known)

    async def in_turn(self) -> None:
        """Wait while this client asks more than one may: however many connections it has, the event loop stays free for others."""
        async with (
            self.account.asking
        ):  # one by one, also if all of their times have come while the loop was busy
            wait_s = self.account.questions.queue()
            if wait_s:
                await asyncio.sleep(wait_s)

    def note(self, outcome: Outcome, *, reason: str | None = None, subject: str | None = None) -> None:
        """Write a line of the audit about this request."""
        size, seconds = self.received_bytes, self.elapsed_s()
        self.sender.note(self.action, outcome, reason=reason, subject=subject, size=size, seconds=seconds)

    def elapsed_s(self) -> float:
        """Seconds since the header arrived."""
        return since(self._arrived)

    def connection(self) -> HTTP1Connection:
        """The client's connection."""
        return cast("HTTP1Connection", self.request.connection)  # the only kind that this server makes

    def set_default_headers(self) -> None:
        self.set_header("Server", "splitdnn")
        self.set_header(
            CLOUD_HEADER, self.settings["cloud"]
        )  # not the service's: Tornado asks before `initialize`

    def head(self, *arguments: str, **named: str) -> Any:
        """GET without its body, which Tornado leaves out."""
        return self.get(*arguments, **named)

    def finish(self, chunk: Any = None) -> Any:
        """Finish; at the server's end a client learns that its next request needs another connection, and that one is not lost."""
        if self.service.lifecycle.is_ending:
            self.set_header("Connection", "close")
        if isinstance(chunk, dict):
            self.set_header("Content-Type", self.json_type)
            chunk = json_encode(chunk)
        return super().finish(chunk)

    def finish_json(self, text: bytes | str) -> None:
        """Finish with JSON that is encoded already."""
        self.set_header("Content-Type", self.json_type)
        self.finish(text)

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None))[1]
        super().send_error(error.status if isinstance(error, RequestError) else status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.finish(self.refusal(status_code, kwargs.get("exc_info", (None, None))[1]))

    def refusal(self, status_code: int, error: BaseException | None) -> dict[str, Any]:
        """What was wrong, the reason under which it is counted, and what is accepted. Details of bugs are not sent."""
        if self.crowded:
            self.set_header("Connection", "close")
        if isinstance(error, HTTPError):
            text = error.get_message() or HTTPStatus(status_code).phrase
            accepted = self._methods() if status_code == HTTPStatus.METHOD_NOT_ALLOWED else None
            if accepted:
                self.set_header("Allow", ", ".join(accepted))
            return Told(text, "http", accepted).public()
        if isinstance(error, RequestError):
            if error.retryable:
                self.set_header("Retry-After", str(error.retry_after_s))
            if isinstance(error, UnauthenticatedError):
                self.set_header("WWW-Authenticate", 'Bearer realm="splitdnn"')
        told, size, seconds = told_of(error), self.received_bytes, self.elapsed_s()
        self.sender.refused(told, status_code, self.request.path, self.action, size=size, seconds=seconds)
        return told.public()

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if not isinstance(value, RequestError | HTTPError):  # refusals; a scanner's 404s are worth no line
            super().log_exception(typ, value, tb)

    def on_finish(self) -> None:
        path = self.endpoint or (self.request.path if self.request.path in ENDPOINTS else "other")
        self.service.metrics.requests.labels(endpoint=path, code=str(self.get_status())).inc()
        self.service.metrics.duration.labels(endpoint=path).observe(self.elapsed_s())
        outcome = "refused" if self.get_status() >= HTTPStatus.BAD_REQUEST else "answered"
        self.ended(outcome)

    def ended(self, outcome: str) -> None:
        """Count the request as its client's."""
        frames = self.frames() if outcome == "answered" else 0
        self.sender.ended(outcome, frames, self.received_bytes, self.elapsed_s())

    def frames(self) -> int:
        """How many frames were answered."""
        return 0

    def _methods(self) -> list[str]:
        own = {
            name
            for name in ("GET", "POST", "PUT")
            if getattr(type(self), name.lower()) is not getattr(RequestHandler, name.lower())
        }
        return sorted(own | {"HEAD"} if "GET" in own else own)
