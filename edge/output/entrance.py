"""What all paths of the edge's status port share: each is open, or lets in by a right, shown by a token or a browser's session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tornado.web import HTTPError, RequestHandler

from shared.errors import RequestError, UnauthenticatedError
from shared.security.gate import NOBODY
from shared.wire.server.browser import shown_by

if TYPE_CHECKING:
    from shared.security.gate import Caller, Gate
    from shared.security.rights import Needs


class Handler(RequestHandler):
    """Answers in JSON, refusals included."""

    needs: ClassVar[Needs]
    caller: Caller = NOBODY

    @property
    def gate(self) -> Gate:
        """Who is let in."""
        gate: Gate = self.settings["gate"]
        return gate

    def prepare(self) -> None:
        if not self.needs.is_open:
            try:
                self.caller = self.gate.enter(shown_by(self.request, of_port=True), self.needs)
            except RequestError as error:
                self.refuse(error)

    def refuse(self, error: RequestError) -> None:
        """Finish with what was wrong, and what is accepted."""
        self.set_status(error.status)
        if isinstance(error, UnauthenticatedError):
            self.set_header("WWW-Authenticate", 'Bearer realm="splitdnn"')
        if error.retryable:
            self.set_header("Retry-After", str(error.retry_after_s))
        self.finish({"error": str(error), "reason": error.reason, "accepted": error.accepted})

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        # Tornado's line quotes what a stranger sent: no two are of one kind, so that he could fill the log, with tokens too.
        if not isinstance(value, HTTPError):
            super().log_exception(typ, value, tb)

    def head(self, *arguments: str, **named: str) -> Any:
        """GET without its body, which Tornado leaves out."""
        return self.get(*arguments, **named)
