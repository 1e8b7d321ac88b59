"""`/login` and `/logout` of the edge's status port: a browser shows its token once, and has a session from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from edge.output.entrance import Handler
from edge.output.page.handlers import TITLE
from shared.errors import ForbiddenError, RequestError, UnauthenticatedError
from shared.security.rights import OPEN, Right, one_of
from shared.wire.page.document import be_private
from shared.wire.page.forms import login_page, page_for
from shared.wire.server.browser import cookie_name, from_elsewhere, keep_session, session_key, shown_by

if TYPE_CHECKING:
    from edge.output.page.metrics import PageMetrics
    from shared.security.rights import Needs

_ANYBODY = one_of(*Right)
_LONGEST_TOKEN = 512


class LoginHandler(Handler):
    """`GET /login` is a form, or says who is logged in; `POST /login` with `token=` begins a session."""

    needs: ClassVar[Needs] = OPEN

    def initialize(self, metrics: PageMetrics) -> None:
        self._metrics = metrics

    def get(self) -> None:
        try:
            caller = self.gate.enter(shown_by(self.request, of_port=True), _ANYBODY)
        except RequestError:
            login_page(TITLE).send(self)
            return
        page_for(TITLE, caller, back="/").send(self)

    def post(self) -> None:
        if from_elsewhere(self.request):
            self.refuse(
                ForbiddenError("a page of another site sent this", accepted="forms of the edge's own pages")
            )
            return
        try:
            grant = self.gate.login(self.get_body_argument("token", "")[:_LONGEST_TOKEN])
        except UnauthenticatedError as error:
            self._metrics.logins.labels(result="refused").inc()
            self.set_status(error.status)
            login_page(TITLE, str(error)).send(self)
            return
        assert self.gate.sessions is not None
        key, _ = self.gate.sessions.begin(grant.digest)
        self._metrics.logins.labels(result="begun").inc()
        keep_session(self, key, of_port=True)
        be_private(self)
        self.redirect("/", status=303)


class LogoutHandler(Handler):
    """`POST /logout` ends the session, with `form_key=` from its page."""

    needs: ClassVar[Needs] = OPEN

    def post(self) -> None:
        try:
            form_key = self.get_body_argument("form_key", "")
            self.gate.enter(shown_by(self.request, form_key, of_port=True), _ANYBODY)
        except RequestError as error:
            self.refuse(error)
            return
        if (key := session_key(self.request, of_port=True)) and self.gate.sessions:
            self.gate.sessions.end(key)
        name = cookie_name(self.request, of_port=True)
        self.clear_cookie(name, path="/", secure=self.request.protocol == "https")
        be_private(self)
        self.redirect("/login", status=303)
