"""What all endpoints share: errors as JSON, counting, and bodies that are bounded while they arrive."""

from __future__ import annotations

import logging
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from tornado.web import HTTPError, RequestHandler, stream_request_body

from cloud.metrics import ENDPOINTS
from shared.errors import BusyError, LimitError, RequestError

if TYPE_CHECKING:
    from tornado.http1connection import HTTP1Connection

    from cloud.service import Service

_log = logging.getLogger(__name__)

_DRAIN_FACTOR = 4
"""A body over its limit is refused at once, yet read and dropped up to this many limits, so that its sender gets to
read the refusal instead of a reset."""


class Handler(RequestHandler):
    """Answers in JSON, errors too, and counts."""

    def initialize(self, service: Service) -> None:
        self.service = service

    def set_default_headers(self) -> None:
        self.set_header("Server", "splitdnn")

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None))[1]
        super().send_error(error.status if isinstance(error, RequestError) else status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Every refusal: what was wrong, a reason to count by, and what is accepted. A bug's text stays here."""
        error = kwargs.get("exc_info", (None, None))[1]
        if isinstance(error, RequestError):
            text, reason, accepted = str(error), error.reason, error.accepted
            if error.retryable:
                self.set_header("Retry-After", "1")
        elif isinstance(error, HTTPError):
            text, reason = error.log_message or HTTPStatus(status_code).phrase, "http"
            accepted = self._methods() if status_code == HTTPStatus.METHOD_NOT_ALLOWED else None
        else:
            text, reason, accepted = "internal error; the server's log says more", "internal", None
        if reason != "http":
            self.service.metrics.rejected.labels(reason=reason).inc()
            _log.info("%s refused with %d (%s): %s", self.request.path, status_code, reason, text)
        self.finish({"error": text, "reason": reason, "accepted": accepted})

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if not isinstance(value, RequestError):
            super().log_exception(typ, value, tb)

    def on_finish(self) -> None:
        path = self.request.path if self.request.path in ENDPOINTS else "other"
        self.service.metrics.requests.labels(endpoint=path, code=str(self.get_status())).inc()
        self.service.metrics.duration.labels(endpoint=path).observe(self.request.request_time())

    def _methods(self) -> list[str]:
        return [name for name in ("GET", "POST") if name.lower() in type(self).__dict__]


@stream_request_body
class BodyHandler(Handler):
    """Takes a body of at most `limit()` bytes, within the server's budget for all bodies together."""

    def initialize(self, service: Service) -> None:
        super().initialize(service)
        self.body = bytearray()
        self._reserved = 0

    def limit(self) -> int:
        """Largest body in bytes."""
        return self.service.settings.max_body_bytes

    def admit(self) -> None:
        """Raise RequestError for what can be refused before the body is read."""

    def prepare(self) -> None:
        if self.request.method != "POST":
            return
        connection = cast("HTTP1Connection", self.request.connection)  # the only one this server makes
        connection.set_max_body_size(_DRAIN_FACTOR * self.limit())
        self.admit()
        declared = self.request.headers.get("Content-Length", "")
        self._reserve(int(declared[:20]) if declared.isdecimal() else 0)

    def data_received(self, chunk: bytes) -> None:
        if self._finished:
            return
        try:
            if len(self.body) + len(chunk) > self._reserved:  # a chunked body, which declares nothing
                self._reserve(len(chunk))
            self.body += chunk
        except RequestError:
            self.send_error(exc_info=sys.exc_info())

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if not self._finished:
            self.service.metrics.abandoned.inc()
        self.release()

    def on_finish(self) -> None:
        super().on_finish()
        self.release()

    def release(self) -> None:
        """Give back what this request holds; may be called twice."""
        self._account(-self._reserved)
        self._reserved = 0

    def _reserve(self, size: int) -> None:
        if self._reserved + size > self.limit():
            self.set_header("Connection", "close")
            raise LimitError(f"a body of {self._reserved + size} bytes", accepted={"max_bytes": self.limit()})
        if self.service.buffered_bytes + size > self.service.settings.max_buffered_bytes:
            raise BusyError("too many request bodies are being received; try again in a second")
        self._reserved += size
        self._account(size)

    def _account(self, size: int) -> None:
        self.service.buffered_bytes += size
        self.service.metrics.buffered_bytes.set(self.service.buffered_bytes)
