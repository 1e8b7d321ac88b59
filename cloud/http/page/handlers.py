"""`/page` and `/page/events`: what the cloud does at the moment, for people."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from cloud.http.base import Handler
from shared.errors import ForbiddenError, UnauthenticatedError
from shared.security.rights import Right, one_of
from shared.wire.page.document import Document, data, document
from shared.wire.page.stream import Stream
from shared.wire.server.browser import from_elsewhere, is_own_name, session_key

if TYPE_CHECKING:
    from cloud.http.page.page import Page
    from cloud.service import Service
    from shared.security.rights import Needs

PAGE = "/page"
EVENTS = "/page/events"
EVENTS_TOO = "/events"
"""The same, by the name that it has on an edge."""


@cache
def cloud_document() -> Document:
    """The page itself, which is the same for everybody: what it shows comes as events."""
    body, style, script = (data(__package__, f"cloud.{kind}") for kind in ("html", "css", "js"))
    return document("SplitDNN cloud", body, styles=[style], scripts=[script])


class _Private(Handler):
    """For those with the right to the page; what everybody may see here is still not for everybody's sites."""

    needs: ClassVar[Needs] = one_of(Right.PAGE)

    def prepare(self) -> None:
        super().prepare()
        if not self.known and not is_own_name(self.request.host):
            raise ForbiddenError(
                "without a token the page is not shown under a name that anybody can register",
                accepted="the machine's address, localhost, a name without a dot or in .local or .internal",
            )


class PageHandler(_Private):
    """`GET /page` is the page; a browser that nobody has logged in with is sent to `/login`."""

    def get(self) -> None:
        cloud_document().send(self)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None))[1]
        if isinstance(error, UnauthenticatedError) and "text/html" in self.request.headers.get("Accept", ""):
            self.set_header("Cache-Control", "no-store")
            self.set_status(HTTPStatus.SEE_OTHER)
            self.set_header("Location", "/login")
            self.finish()
            return
        super().write_error(status_code, **kwargs)


class EventsHandler(_Private):
    """`GET /page/events`: the page's states, one after another, for as long as the caller may see them."""

    endpoint: ClassVar[str] = EVENTS

    def initialize(self, service: Service, stream: Stream) -> None:  # type: ignore[override]
        super().initialize(service)
        self._stream = stream
        self._began_s: float | None = None

    async def get(self) -> None:
        if from_elsewhere(self.request):
            raise ForbiddenError("a page of another site asks for this", accepted="the cloud's own page")
        await self.in_turn()
        self._began_s = super().elapsed_s()
        await self._stream.follow(self, self._may_see)

    def _may_see(self) -> bool:
        """Whether the caller's token, and the session where there is one, are as good as they were."""
        door, key = self.service.door, session_key(self.request) if self.caller.session else None
        logged_in = key is None or door.sessions.find(key) is not None
        return logged_in and door.gate.still(self.caller)

    def elapsed_s(self) -> float:
        """To the answer's beginning: how long somebody looks is no latency."""
        return super().elapsed_s() if self._began_s is None else self._began_s


def stream_of(page: Page) -> Stream:
    """The states of this page, made once a second for all who look."""
    return Stream(page.state, period_s=1.0)
