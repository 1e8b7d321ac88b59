"""Who a request is from, and whether that may do what it asks. Knows no HTTP server: it is given what the headers say."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.errors import ForbiddenError, UnauthenticatedError
from shared.security.rights import NOTHING
from shared.security.tokens.keyring import Keyring, when

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.security.rights import Needs, Right
    from shared.security.sessions import Session, Sessions
    from shared.security.tokens.file import TokenFile
    from shared.security.tokens.keyring import Grant

_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)
"""RFC 6750."""
_HOW = "a header `Authorization: Bearer sdn_…`"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Shown:
    """What a request shows of its sender."""

    method: str = "GET"
    authorization: Sequence[str] = field(default=(), repr=False)
    """Each header of that name."""
    session_key: str | None = field(default=None, repr=False)
    """The cookie."""
    form_key: str | None = field(default=None, repr=False)
    """The key that a page of ours has put into a form or header, beside the cookie."""
    from_elsewhere: bool = False
    """Whether the browser says that a page of another site sent it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent a request, and what it may do."""

    name: str | None
    """The token's, which begins with a letter, as no address does with which it shares accounts; None for whoever shows none."""
    rights: frozenset[Right]
    token: bytes | None = field(default=None, repr=False)
    """The token's hash."""
    session: Session | None = field(default=None, repr=False)


NOBODY = Caller(None, NOTHING)
"""Whoever asks for what is open."""


class Gate:
    """Lets in by token, by session, or by what everybody may."""

    def __init__(
        self,
        tokens: TokenFile | None,
        anonymous: frozenset[Right],
        sessions: Sessions | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`anonymous`: the rights of everybody, tokens or not; `clock` in seconds since 1970, as expiries are dates."""
        self._tokens = tokens
        self.sessions = sessions
        self._clock = clock
        self.anonymous = anonymous

    @property
    def keyring(self) -> Keyring:
        """The tokens at this moment."""
        return self._tokens.keyring if self._tokens else Keyring()

    def enter(self, shown: Shown, needs: Needs) -> Caller:
        """Whoever it is, who may. Raises UnauthenticatedError (401) or ForbiddenError (403).

        A token that is wrong is refused even where none is needed, so that its owner learns of it; nothing is asked where all is open.
        """
        if needs.is_open:
            return NOBODY
        caller = self._caller(shown)
        if needs.met_by(caller.rights):
            return caller
        if caller.name is None:
            raise UnauthenticatedError(f"this needs a token with the right {needs}", accepted=_HOW)
        error = ForbiddenError(
            f"the token of {caller.name} does not give the right {needs}",
            accepted={"rights": sorted(needs.rights)},
        )
        error.name = caller.name
        raise error

    def login(self, token: str) -> Grant:
        """What a token gives that is shown in a form. Raises UnauthenticatedError."""
        grant = self.keyring.of_token(token.strip())
        if grant is None:
            raise UnauthenticatedError("this token is not known here", accepted=_HOW)
        return self._in_force(grant)

    def still(self, caller: Caller) -> bool:
        """Whether the token of a caller whose request takes long is as good as when it was let in."""
        if caller.token is None:
            return True
        grant = self.keyring.of_digest(caller.token)
        return grant is not None and not grant.is_over(self._clock()) and caller.rights <= self._all(grant)

    def _caller(self, shown: Shown) -> Caller:
        if shown.authorization:
            grant = self._in_force(self._of_header(shown.authorization))
            return Caller(grant.name, self._all(grant), grant.digest)
        if shown.session_key and self.sessions and (session := self.sessions.find(shown.session_key)):
            return self._of_session(session, shown)
        return Caller(None, self.anonymous)

    def _of_header(self, headers: Sequence[str]) -> Grant:
        found = _BEARER.fullmatch(headers[0].strip()) if len(headers) == 1 else None
        if found is None:
            raise UnauthenticatedError("the header Authorization is not in this form", accepted=_HOW)
        grant = self.keyring.of_token(found[1])
        if grant is None:
            raise UnauthenticatedError("this token is not known here", accepted=_HOW)
        return grant

    def _of_session(self, session: Session, shown: Shown) -> Caller:
        grant = self.keyring.of_digest(session.token)
        if grant is None or grant.is_over(self._clock()):
            return Caller(None, self.anonymous)
        # A browser sends the cookie with whatever page asks for it; only a page of ours knows the key.
        if shown.method not in _SAFE and (shown.from_elsewhere or not session.vouches(shown.form_key)):
            raise ForbiddenError(
                "a browser's session changes nothing without the key of its page",
                accepted="X-Form-Key, as GET /login gives it, in a request of the same site",
            )
        return Caller(grant.name, self._all(grant), grant.digest, session)

    def _in_force(self, grant: Grant) -> Grant:
        if grant.is_over(self._clock()):
            raise UnauthenticatedError(
                f"the token of {grant.name} has expired ({when(grant.expires)})", accepted=_HOW
            )
        return grant

    def _all(self, grant: Grant) -> frozenset[Right]:
        return grant.rights | self.anonymous
