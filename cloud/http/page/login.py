"""`/login`, `/logout` and `/session`: a browser shows its token once, and has a session from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qs

from cloud.access.audit import Action, Outcome
from cloud.http.base import Handler
from cloud.http.body import BodyHandler
from shared.errors import BodyError, ForbiddenError, UnauthenticatedError
from shared.security.rights import OPEN, Right, one_of
from shared.security.tokens.keyring import digest_of
from shared.wire.page.forms import login_page, page_for
from shared.wire.server.browser import cookie_name, from_elsewhere, keep_session, session_key

if TYPE_CHECKING:
    from cloud.bodies.body import Body
    from shared.security.rights import Needs

_TITLE = "SplitDNN cloud"
_ANYBODY = one_of(*Right)


class _FormHandler(BodyHandler):
    """Takes a form of a few fields, and nothing that another site's page has sent."""

    needs: ClassVar[Needs] = OPEN

    async def post(self) -> None:
        await self.complete()

    def limit(self) -> int:
        return 4096

    def admit(self) -> None:
        if from_elsewhere(self.request):
            raise ForbiddenError(
                "a page of another site sent this", accepted="forms of the cloud's own pages"
            )

    def field(self, body: Body, name: str) -> str:
        """The value of the form's only field of this name. Raises BodyError."""
        try:
            values = parse_qs(bytes(body.whole()).decode(), max_num_fields=4).get(name, [])
        except ValueError:
            values = []
        if len(values) != 1:
            raise BodyError(f"the form has no field {name}", accepted={name: "once, in a form of this page"})
        return values[0]

    async def tell_siblings(self, key: str) -> None:
        """Before the browser hears of it: its next request may come to another worker."""
        if siblings := self.service.siblings:
            await siblings.session(digest_of(key).hex(), self.service.door.sessions.find(key))


class LoginHandler(_FormHandler):
    """`GET /login` is a form, `POST /login` with `token=` in it begins a session."""

    brings: ClassVar[Action] = Action.LOGIN

    def get(self) -> None:
        try:
            caller = self.service.door.enter(self.request, _ANYBODY)
        except (UnauthenticatedError, ForbiddenError):
            login_page(_TITLE).send(self)
            return
        page_for(_TITLE, caller, back="/page").send(self)

    async def respond(self, body: Body) -> None:
        logins = self.service.metrics.logins
        await self.in_turn()
        try:
            name, key = self.service.door.login(self.field(body, "token"))
        except (UnauthenticatedError, BodyError):
            logins.labels(result="refused").inc()
            raise
        logins.labels(result="begun").inc()
        self.client, self.known = name, True
        await self.tell_siblings(key)
        self.note(Outcome.DONE)
        keep_session(self, key)
        self.set_header("Cache-Control", "no-store")
        self.redirect("/login", status=303)


class LogoutHandler(_FormHandler):
    """`POST /logout` ends the session, with `form_key=` from its page."""

    brings: ClassVar[Action] = Action.LOGOUT

    async def respond(self, body: Body) -> None:
        caller = self.service.door.enter(self.request, _ANYBODY, self.field(body, "form_key"))
        self.client, self.known = caller.name or self.client, bool(caller.name)
        if key := session_key(self.request):
            self.service.door.sessions.end(key)
            await self.tell_siblings(key)
            self.note(Outcome.DONE)
        self.clear_cookie(cookie_name(self.request), path="/", secure=self.request.protocol == "https")
        self.redirect("/login", status=303)


class SessionHandler(Handler):
    """`GET /session`: who the sender is here, what it may, and the key that a page's requests must bring."""

    needs: ClassVar[Needs] = _ANYBODY

    def get(self) -> None:
        self.set_header("Cache-Control", "no-store")
        caller = self.caller
        self.finish(
            {
                "name": caller.name,
                "rights": [right for right in Right if right in caller.rights],
                "form_key": caller.session.form_key if caller.session else None,
            }
        )
