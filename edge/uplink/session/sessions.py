"""The sessions with one cloud for the frames of one network: when one is tried, and what holds while there is none."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from edge.uplink.session.carrying.estimate import Estimate
from edge.uplink.session.connection import NoUpgradeError
from edge.uplink.session.opening import OPENING_S, Means
from edge.uplink.session.session import Session
from shared.security.escape import shown
from shared.wire.session.messages import Hello

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.uplink.asking.question import Question
    from edge.uplink.line import Line
    from edge.uplink.session.metrics import SessionMetrics

_log = logging.getLogger(__name__)

PROTOCOL = 1
_MOST = 4
"""Different questions that have a session each; cameras with others ask by HTTP."""
_SHORTEST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 300.0
_TRIPS = 6.0
"""Round trips of the link that a connection may take: four with TLS, and a lost segment."""
_LONGEST_HOLD_S = 0.5
"""Frames wait no longer, and at most for half their deadline, until a session is open that takes another's place."""
_BRIEF_S = 3.0
"""A session that its cloud ends so soon is followed by another at once only if the one before it lasted longer."""
_DRAWN = random.SystemRandom()


@dataclass(eq=False)
class _Slot:
    """That of one question."""

    deadline_s: float
    session: Session | None = None
    replaces: bool = False
    """Whether frames wait a moment until it is open, as it takes the place of one that was."""
    try_at: float = float("-inf")
    pause_s: float = _SHORTEST_PAUSE_S
    began_at: float = float("-inf")
    was_brief: bool = False
    """Whether the latest session that its cloud ended was."""

    def rest(self, now: float, drawn: float) -> None:
        """None is tried for a while, the next time for twice as long; `drawn`: 0 … 1."""
        self.replaces = False
        self.try_at = now + self.pause_s * (0.75 + 0.5 * drawn)
        self.pause_s = min(_LONGEST_PAUSE_S, 2 * self.pause_s)

    @property
    def usable(self) -> Session | None:
        """The session that takes frames now."""
        session = self.session
        if session is None or session.has_ended or session.is_leaving:
            return None
        return session if session.is_open or self.replaces else None


class Sessions:
    """Used from the event loop only, but for `place`."""

    def __init__(
        self,
        line: Line,
        fingerprint: bytes,
        metrics: SessionMetrics,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = _DRAWN.random,
    ) -> None:
        """`fingerprint` is the network's; `draw` gives numbers 0 … 1, so that not all edges try again at once."""
        self._line = line
        self._fingerprint = fingerprint
        self._metrics = metrics
        self._clock = clock
        self._draw = draw
        self._slots: dict[str, _Slot] = {}
        self._all: set[Session] = set()
        self._is_offered: bool | None = None
        self._told: str | None = None
        self._closed = False

    @property
    def is_there(self) -> bool:
        """Whether frames go over a session now."""
        return any(slot.usable for slot in self._slots.values())

    @property
    def is_only(self) -> bool:
        """Whether no frame goes by HTTP."""
        return self._line.session_mode == "only"

    def greeted(self, said: dict[str, Any]) -> None:
        """The cloud's answer to `GET /model`, which tells whether to try."""
        protocols = said.get("session_protocols")
        before, self._is_offered = self._is_offered, isinstance(protocols, list) and PROTOCOL in protocols
        if self._line.session_mode == "off":
            return
        if not self._is_offered and before is not False:
            self._say("old", "the cloud has no sessions (GET /model lists none)")
        elif self._is_offered and before is False:
            for slot in self._slots.values():
                slot.try_at = float("-inf")
        for session in self._all:
            session.doubt()

    def place(self, query: str) -> object | None:
        """Where the streams of this question have their state now; None: there is no session. For any thread."""
        slot = self._slots.get(query)
        session = slot.usable if slot else None
        return session.place if session else None

    def prepare(self, question: Question) -> None:
        """Frames with this question are going to come."""
        self.of(question)

    def of(self, question: Question) -> Session | None:
        """The session for this question, or None; then one is tried beside the frames if it is time to."""
        if self._line.session_mode == "off" or self._closed:
            return None
        slot = self._slots.get(question.query)
        if slot is None:
            if len(self._slots) >= _MOST:
                return None
            slot = self._slots[question.query] = _Slot(question.deadline_s)
        if slot.usable:
            return slot.usable
        is_over = slot.session is None or slot.session.has_ended or slot.session.is_leaving
        if is_over and self._is_offered and self._clock() >= slot.try_at:
            self._begin(slot, question.query)
        return slot.usable

    def doubts(self, question: Question) -> bool:
        """Whether a frame that is late may mean that the cloud is away: not if a session has heard of it lately, as its link may falter."""
        slot = self._slots.get(question.query)
        session = slot.usable if slot else None
        return session is None or session.is_silent

    async def wait(self, question: Question) -> Session | None:
        """The same, once the session that is being opened is open, or could not be."""
        session = self.of(question)
        slot = self._slots.get(question.query)
        if session is None and slot and slot.session and not slot.session.has_ended:
            await asyncio.shield(slot.session.opened)
            return slot.usable
        return session

    async def close(self) -> None:
        """End them all."""
        self._closed = True
        await asyncio.gather(*(session.close() for session in list(self._all)))

    def _begin(self, slot: _Slot, query: str) -> None:
        line = self._line
        hello = Hello(self._fingerprint, query, max(1, round(1e3 * slot.deadline_s)))
        estimate = Estimate(line.link, self._clock)

        def going_on_s() -> float:
            """Frames may wait in it meanwhile."""
            return min(OPENING_S, max(1.0, slot.deadline_s, _TRIPS * line.link.state.round_trip_s))

        opening_s = going_on_s() if self.is_only else OPENING_S  # in which no frame waits for it otherwise
        session = Session(
            hello, Means(line.client, line.flow, estimate, self._metrics, opening_s, going_on_s, self._clock)
        )
        session.on_leave = partial(self._left, slot, session, query)
        session.on_end = partial(self._ended, slot, session)
        session.opened.add_done_callback(partial(self._opened, session))
        slot.session, slot.began_at = session, self._clock()
        self._all.add(session)
        if slot.replaces:
            hold_s = min(_LONGEST_HOLD_S, slot.deadline_s / 2)
            asyncio.get_running_loop().call_later(hold_s, _let_go, slot, session)

    def _opened(self, session: Session, _done: object) -> None:
        if session.is_open and self._told is not None:
            self._told = None
            _log.info("frames go to %s over a session again", self._line.name)

    def _left(self, slot: _Slot, session: Session, query: str, reason: str) -> None:
        _log.debug("the cloud ends a session: %s", reason)
        if slot.session is not session or self._closed:
            return
        was_brief, slot.was_brief = slot.was_brief, self._clock() - slot.began_at < _BRIEF_S
        if was_brief and slot.was_brief:
            slot.rest(self._clock(), self._draw())
            self._say("closed", f"the cloud ends each as soon as it is open ({shown(reason)})")
            return
        slot.replaces = True
        if reason != "idle":  # then the next frame opens another
            self._begin(slot, query)

    def _ended(self, slot: _Slot, session: Session) -> None:
        self._all.discard(session)
        if slot.session is not session:
            return
        if session.answers and self._clock() - slot.began_at >= _BRIEF_S:
            slot.pause_s = _SHORTEST_PAUSE_S
        if session.problem:
            slot.rest(self._clock(), self._draw())
            self._say(session.problem.reason, str(session.problem))

    def _say(self, reason: str, text: str) -> None:
        """Count it, and tell it once for each reason."""
        self._metrics.fallbacks.labels(reason=reason).inc()
        if reason != self._told:
            self._told = reason
            instead = (
                "none is sent"
                if self.is_only
                else "frames go by HTTP, each alone, and it is tried again now and then"
            )
            level = logging.INFO if reason == "old" and not self.is_only else logging.WARNING
            _log.log(level, "no session with %s: %s; %s", self._line.name, text, instead)

    def refusal(self, question: Question) -> NoUpgradeError:
        """Why there is no session for this question."""
        slot = self._slots.get(question.query)
        if slot and slot.session and slot.session.problem:
            return slot.session.problem
        return NoUpgradeError("old", "the cloud has no sessions")


def _let_go(slot: _Slot, session: Session) -> None:
    """It is not open yet: frames need not wait for it any more."""
    if slot.session is session and not session.is_open:
        slot.replaces = False
        session.give_back()
