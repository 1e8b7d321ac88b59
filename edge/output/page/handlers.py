"""`/`, `/events`, `/watch` and `/snapshot/CAMERA.jpg`: the page, its states, who looks at which camera, and the pictures."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, ClassVar

from edge.output.entrance import Handler
from edge.output.page.seen.shown import cut
from shared.errors import ForbiddenError, RequestError, UnauthenticatedError, UnavailableError
from shared.security.rights import Right, one_of
from shared.wire.page.document import be_private
from shared.wire.page.forms import login_page, refusal_page
from shared.wire.server.browser import from_elsewhere, is_own_name, session_key

if TYPE_CHECKING:
    from edge.output.page.metrics import PageMetrics
    from edge.output.page.pictures import Pictures
    from shared.security.rights import Needs
    from shared.wire.page.document import Document
    from shared.wire.page.stream import Stream

_log = logging.getLogger(__name__)

TITLE = "SplitDNN edge"
_TEXT = 200
_MOST_DIGITS = 18


class PageHandler(Handler):
    """Lets in people with the right to the page, and no page of another site."""

    needs: ClassVar[Needs] = one_of(Right.PAGE)
    linked: ClassVar[bool] = False
    """Whether a page of another site may lead here."""

    def initialize(self, metrics: PageMetrics) -> None:
        self.page_metrics = metrics

    def prepare(self) -> None:
        super().prepare()
        if self._finished:
            return
        # A token or a session is proof enough; what is open to everybody here is not open to everybody's sites.
        if self.caller.name is None and not is_own_name(self.request.host):
            self.refuse(
                ForbiddenError(
                    "without a token the page is not shown under a name that anybody can register",
                    accepted="the machine's address, localhost, a name without a dot or in .local or .internal",
                )
            )
        elif not self.linked and from_elsewhere(self.request):
            self.refuse(
                ForbiddenError("a page of another site asks for this", accepted="the edge's own page")
            )

    def refuse(self, error: RequestError) -> None:
        """Finish with what was wrong, and count it."""
        self.note(error)
        be_private(self)
        super().refuse(error)

    def note(self, error: RequestError) -> None:
        """Count a refusal, and log it: of one kind the log takes so many lines a minute."""
        self.page_metrics.refused.labels(reason=error.reason).inc()
        _log.info(
            "%s refused with %d (%s): %s",
            cut(self.request.path),
            error.status,
            error.reason,
            cut(str(error), _TEXT),
        )


class DocumentHandler(PageHandler):
    """`GET /`: the page, or a form that asks for a token."""

    linked: ClassVar[bool] = True

    def initialize(self, metrics: PageMetrics, page: Document) -> None:  # type: ignore[override]
        super().initialize(metrics)
        self._page = page

    def get(self) -> None:
        self._page.send(self)

    def refuse(self, error: RequestError) -> None:
        """People read this."""
        self.note(error)
        self.set_status(error.status)
        if isinstance(error, UnauthenticatedError):
            self.set_header("WWW-Authenticate", 'Bearer realm="splitdnn"')
            login_page(TITLE).send(self)
        else:
            accepted = f". Accepted: {error.accepted}" if isinstance(error.accepted, str) else ""
            refusal_page(TITLE, f"{error}{accepted}").send(self)


class EventsHandler(PageHandler):
    """`GET /events`: server-sent events, each the whole state."""

    def initialize(self, metrics: PageMetrics, stream: Stream) -> None:  # type: ignore[override]
        super().initialize(metrics)
        self._stream = stream

    async def get(self) -> None:
        try:
            await self._stream.follow(self, self._still)
        except UnavailableError as error:
            self.refuse(error)

    def _still(self) -> bool:
        """Whether the token is in force and its owner has not logged out."""
        session, sessions = self.caller.session, self.gate.sessions
        if session is not None and sessions is not None:
            key = session_key(self.request, of_port=True) or ""
            return sessions.find(key) is session and self.gate.still(self.caller)
        return self.gate.still(self.caller)


class PicturesHandler(PageHandler):
    """What needs pictures."""

    def initialize(self, metrics: PageMetrics, pictures: Pictures | None) -> None:  # type: ignore[override]
        super().initialize(metrics)
        self._pictures = pictures

    def pictures(self) -> Pictures:
        """Raises ForbiddenError where no pictures are shown."""
        if self._pictures is None:
            raise ForbiddenError("this edge shows no pictures", accepted="a start with --page-pictures")
        return self._pictures


class WatchHandler(PicturesHandler):
    """`GET /watch?camera=NAME&camera=NAME`: somebody looks at these cameras, for the next seconds."""

    def get(self) -> None:
        try:
            pictures = self.pictures()
        except ForbiddenError as error:
            self.refuse(error)
            return
        for camera in self.get_query_arguments("camera"):
            pictures.watch(camera)
        be_private(self)
        self.set_status(204)


class SnapshotHandler(PicturesHandler):
    """`GET /snapshot/CAMERA.jpg`: the newest picture whose frame is answered, or with `?frame=NUMBER` that frame's."""

    async def get(self, camera: str) -> None:
        try:
            number = _frame(self.get_query_arguments("frame"))
            found = await self.pictures().jpeg(camera, number)
            if found is None and number is None:
                raise UnavailableError(
                    f"there is no picture of {camera[:64]!r} now",
                    accepted="the name of a camera that gives frames",
                )
        except RequestError as error:
            self.refuse(error)
            return
        if found is None:
            self.set_status(404)
            be_private(self)
            self.finish({"error": "the picture of this frame was not kept, or is kept no longer"})
            return
        record, jpeg = found
        be_private(self)
        self.set_header("Content-Type", "image/jpeg")
        self.set_header("X-Frame", str(record.frame))
        self.set_header("X-Frame-Id", record.frame_id)  # numbers may begin anew
        self.finish(jpeg)


def _frame(given: list[str]) -> int | None:
    """Raises RequestError for what is no frame's number."""
    if not given:
        return None
    if len(given) > 1 or not given[0].isdecimal() or len(given[0]) > _MOST_DIGITS:
        raise RequestError("frame is not a frame's number", accepted="?frame=12")
    return int(given[0])
