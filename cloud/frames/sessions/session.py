"""One session: frames that are under way, answers that may not have come, and streams. It outlives its connections."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Protocol

from cloud.access.refusals import OverQuotaError
from cloud.frames.sessions.kept import Kept
from cloud.frames.sessions.message import most_bytes
from cloud.frames.sessions.passage import Passage
from cloud.frames.sessions.streams import Stream
from shared.errors import UnavailableError
from shared.limits import MAX_STREAMS
from shared.wire.session.messages import SESSION_BYTES, Answered, Welcome

if TYPE_CHECKING:
    from collections.abc import Collection

    from cloud.access.clients import Account
    from cloud.frames.sender import Sender
    from cloud.frames.sessions.message import Message
    from cloud.frames.sessions.registry import GoAwayReason
    from cloud.frames.sessions.streams import States
    from cloud.service import Service
    from shared.errors import RequestError
    from shared.security.gate import Caller
    from shared.tasks.spec import Wanted
    from shared.wire.session.cloud import CloudConnection
    from shared.wire.session.messages import Arrived, Hello

MOST_FRAMES = 64
"""Frames of one session that may be under way. Ten frames a second over a satellite are six."""
GRACE_S = 5.0
"""How long a session that was told to go away stays when nothing of it is under way."""


class Line(Protocol):
    """A connection of the session."""

    talk: CloudConnection
    """What its messages look like."""

    def send(self, message: bytes) -> None:
        """Send when the edge reads; nothing if the connection has ended."""

    def part(self, code: int, text: str) -> None:
        """Close the connection, with what was sent before it."""


class Session:
    """On the event loop only."""

    def __init__(self, service: Service, sender: Sender, caller: Caller, now_s: float) -> None:
        self.id = secrets.token_bytes(SESSION_BYTES)
        self.service, self.sender = service, sender
        self.client = sender.client
        self.frames: dict[int, Passage] = {}
        """Those under way, by number."""
        self.wanted: Wanted
        """What is asked about every frame."""
        self.broken_s: float | None = None
        """Since when it has no connection."""
        self.going: GoAwayReason | None = None
        """Why it was told to go away."""
        self.most_frames = min(MOST_FRAMES, service.settings.client_frames)
        self._caller = caller
        self._kept = Kept(2 * self.most_frames)
        self._streams: dict[int, Stream] = {}
        self._line: Line | None = None
        self._talk: CloudConnection  # of its last line; what is said of a frame is the same over each
        self._began_s = self._heard_s = self._going_s = now_s

    @property
    def states(self) -> States:
        """What the streams of all sessions hold."""
        return self.service.sessions.states

    def account(self) -> Account:
        """Whom its frames are charged to. Raises BusyError if there are too many clients."""
        return self.service.clients.account(self.client, known=self.sender.known)

    def may_go_on(self, sender: Sender) -> bool:
        """Whether whoever names this session is the one whose it is."""
        return (sender.client, sender.known) == (self.client, self.sender.known)

    def attach(self, line: Line, hello: Hello, wanted: Wanted, caller: Caller, *, resumed: bool) -> None:
        """It has another connection, which takes the place of the one before; the edge is welcomed."""
        if self._line:
            self._tell("replaced")
            self._line.part(1000, "replaced")
        self._line, self._talk, self.broken_s = line, line.talk, None
        self.wanted, self._caller = wanted, caller
        answers = self._kept.keep(hello.unanswered)
        for number in self.frames.keys() - set(hello.unanswered):
            self.frames[number].withdraw()
        here = {*self.frames, *answers}
        received = tuple(number for number in hello.unanswered if number in here)
        limit = most_bytes(self.service.settings)
        welcome = Welcome(
            self.id,
            self.service.cloud,
            self.most_frames,
            MAX_STREAMS,
            limit,
            resumed=resumed,
            received=received,
        )
        line.send(line.talk.welcome(welcome))
        if self.going:  # it was said to nobody, or may not have come
            self._going_s = self._heard_s
            line.send(line.talk.go_away(self.going))
        for message in answers.values():
            line.send(message)
        for stream in self._streams.values():  # what was asked for may not have come
            if stream.wanted:
                line.send(line.talk.keyframe(stream.number))

    def detach(self, line: Line, now_s: float) -> None:
        """A connection has ended. Another may follow."""
        if self._line is line:
            self._line, self.broken_s = None, now_s

    def heard(self, now_s: float) -> None:
        """The edge has sent something."""
        self._heard_s = now_s

    def arrived(self, arrived: Arrived, message: Message) -> None:
        """A frame has come."""
        if known := self.frames.pop(arrived.number, None):  # its edge does not wait for it any more
            known.abandon()
        self._kept.drop(arrived.number)
        Passage(self, arrived, message).begin()

    def require_place(self) -> None:
        """Raise OverQuotaError if no more frames may be under way."""
        under_way = sum(each.is_awaited for each in self.frames.values())
        withdrawn = len(self.frames) - under_way  # which are still decoded
        if under_way >= self.most_frames or withdrawn > self.most_frames:
            raise OverQuotaError(
                f"this session has {len(self.frames)} frames under way; wait for their answers",
                accepted={"frames_in_flight": self.most_frames},
            )

    def withdraw(self, numbers: Collection[int]) -> None:
        """Nobody waits for the answers of these frames."""
        for number in numbers:
            if passage := self.frames.get(number):
                passage.withdraw()

    def stream(self, number: int) -> Stream:
        """The stream of this number, of which there are not more than the connection lets through."""
        return self._streams.setdefault(number, Stream(number))

    def over(self, number: int, passage: object, said: Answered | RequestError | None) -> None:
        """A frame is over; what is to be said of it, if anything."""
        if self.frames.get(number) is passage:
            del self.frames[number]
        if said is not None:
            self.say(number, said)

    def say(self, number: int, said: Answered | RequestError) -> None:
        """Answer or refuse a frame, now and again if the connection breaks."""
        talk = self._talk
        message = talk.answer(said) if isinstance(said, Answered) else talk.refusal(number, said)
        self._kept.put(number, message)
        if self._line:
            self._line.send(message)

    def want_keyframe(self, number: int, reason: str, *, again: bool) -> None:
        """A stream has no state; `again`: what came to give it one gave none."""
        stream = self.stream(number)
        if stream.wanted and not again:
            return
        stream.wanted = True
        self.service.metrics.sessions.keyframes_wanted.labels(reason=reason).inc()
        if self._line:
            self._line.send(self._line.talk.keyframe(number))

    def go_away(self, reason: GoAwayReason, now_s: float) -> None:
        """Tell the edge to open another session, now or when it comes back; frames under way are answered."""
        if self.going is None:
            self.going, self._going_s = reason, now_s
            self._tell(reason)

    def _tell(self, reason: GoAwayReason) -> None:
        self.service.metrics.sessions.go_aways.labels(reason=reason).inc()
        if self._line:
            self._line.send(self._line.talk.go_away(reason))

    def is_over(self, now_s: float, age_s: float) -> bool:
        """Look after it; whether it is to end now. To be called every second or so."""
        settings = self.service.settings
        if self._line is None:
            return self.broken_s is None or now_s - self.broken_s >= settings.session_resume_s
        if not self.service.door.gate.still(self._caller):
            self.service.metrics.sessions.closed.labels(why="access").inc()
            self._line.part(1008, "the token is over")
            return True
        if self.frames:
            return False
        if now_s - self._heard_s >= settings.idle_timeout_s:
            self.go_away("idle", now_s)
            self._line.part(1000, "idle")
            return True
        if self.going:
            return now_s - max(self._going_s, self._heard_s) >= GRACE_S
        if age_s and now_s - self._began_s >= age_s:
            self.go_away("rebalance", now_s)
        return False

    def forget_profiles(self, known: Collection[str]) -> None:
        """Streams whose profile is not held any more must not hold it either."""
        for stream in self._streams.values():
            if stream.profile and stream.profile not in known:
                self.states.leave(self.client, stream)

    def refuse(self) -> None:
        """There is no time for frames that are still under way."""
        for passage in list(self.frames.values()):
            passage.refuse(UnavailableError("the server is stopping; try again later"))

    def end(self) -> None:
        """Nobody comes back to it."""
        for passage in list(self.frames.values()):
            passage.abandon()
        for stream in self._streams.values():
            self.states.leave(self.client, stream)
        self._streams.clear()
        self._kept.keep(())
        if line := self._line:
            self._line = None
            line.part(1000, "over")
