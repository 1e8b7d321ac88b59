"""What a browser that has logged in holds instead of its token, as it can send no header of its own for a page or for events.

A session lives in memory and never longer than its token; a restart ends all of them.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.limits import MAX_SESSIONS, MAX_SESSIONS_A_TOKEN
from shared.security.tokens.keyring import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable

IDLE_S = 12 * 3600.0
"""A session that nobody has used for so long is over."""
LONGEST_S = 7 * 86400.0
"""So is one that was begun so long ago."""


@dataclass(slots=True)
class Session:
    """One browser's login."""

    token: bytes = field(repr=False)
    """Hash of the token that it was begun with."""
    form_key: str = field(repr=False)
    """What a page of ours puts into its forms and no other site knows: a request that changes something must bring it."""
    begun: float
    used: float

    def vouches(self, form_key: str | None) -> bool:
        """Whether a request with this key came from a page of ours."""
        return form_key is not None and hmac.compare_digest(digest_of(self.form_key), digest_of(form_key))


class Sessions:
    """All sessions, by the hashes of their keys; bounded in number, and for each token."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: dict[bytes, Session] = {}  # the least recently used first

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(self, token: bytes) -> tuple[str, Session]:
        """A new session of the token with this hash, and the key that finds it. The oldest goes if there are too many."""
        key, now = secrets.token_urlsafe(32), self._clock()
        session = Session(token, secrets.token_urlsafe(32), now, now)
        self.keep(digest_of(key), session)
        return key, session

    def keep(self, hashed: bytes, session: Session) -> None:
        """A session, by the hash of its key: a new one, or one that another process of this machine has begun."""
        self._drop_old()
        own = [key for key, other in self._sessions.items() if other.token == session.token]
        if len(own) >= MAX_SESSIONS_A_TOKEN:
            del self._sessions[own[0]]
        elif len(self._sessions) >= MAX_SESSIONS:  # whoever has most pays
            ((most, _),) = Counter(other.token for other in self._sessions.values()).most_common(1)
            del self._sessions[next(key for key, other in self._sessions.items() if other.token == most)]
        self._sessions[hashed] = session

    def find(self, key: str) -> Session | None:
        """The session of this key, used now."""
        hashed, now = digest_of(key), self._clock()
        session = self._sessions.pop(hashed, None)
        if session is None or self._is_over(session, now):
            return None
        session.used = now
        self._sessions[hashed] = session  # at the end
        return session

    def end(self, key: str) -> None:
        """Log out; a key that is unknown is no error."""
        self.forget(digest_of(key))

    def forget(self, hashed: bytes) -> None:
        """The same, by the hash of its key."""
        self._sessions.pop(hashed, None)

    def _drop_old(self) -> None:
        now = self._clock()
        for key in [key for key, session in self._sessions.items() if self._is_over(session, now)]:
            del self._sessions[key]

    @staticmethod
    def _is_over(session: Session, now: float) -> bool:
        return now - session.used >= IDLE_S or now - session.begun >= LONGEST_S
