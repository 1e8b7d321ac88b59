"""One frame of a session, from its arrival to what is said of it.

A frame of a stream whose next frame may need it is decoded even if nobody waits for its answer, as far as its client's share of computing
allows: the stream goes on. Where it is not decoded, a keyframe is asked for.
"""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Literal

from cloud.access.audit import Action
from cloud.access.ledger import Entry
from cloud.access.refusals import BrokenError, BusyError, OverQuotaError
from cloud.bodies.frames import Work
from cloud.frames.answering import Answering
from cloud.frames.sender import told_of
from cloud.frames.sessions.composer import SessionComposer
from cloud.frames.sessions.streams import is_inter, is_keyframe
from shared.errors import DeadlineError, RequestError, StateMissingError, UnavailableError
from shared.observing.telemetry import Stopwatch
from shared.wire.session.messages import Answered

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloud.bodies.alone import Way
    from cloud.bodies.frames import Checked
    from cloud.frames.sessions.message import Home, Message
    from cloud.frames.sessions.streams import Stream
    from cloud.networks.network import LoadedNetwork
    from shared.wire.session.messages import Arrived

_log = logging.getLogger(__name__)

PATH = "/session"
_Over = Literal["answered", "refused", "cancelled", "abandoned"]


def _since(start_s: float) -> float:
    return time.monotonic() - start_s


class Passage:
    """On the event loop only, but for decoding."""

    def __init__(self, session: Home, arrived: Arrived, message: Message) -> None:
        """`message` is what brought it: its size, its place in the memory for bodies, and when it began to come."""
        self.number = arrived.number
        self._session, self._arrived, self._message = session, arrived, message
        message.claimed = True
        self._elapsed_s: Callable[[], float] = partial(_since, message.began_s)
        self._way = Answering(session.service, self._elapsed_s)
        self._entry = Entry(session.service.ledger, session.client)
        self._inter = is_inter(arrived.frame)
        self._tried = self.decoded = False
        self._over: _Over | None = None  # what it is over as, decided before it is
        self._late: RequestError | None = None  # why there is no answer, though it is decoded
        self._task: asyncio.Task[None] | None = None
        self._begun = self._ended = False

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for the answer."""
        return self._over is None

    def begin(self) -> None:
        """Go, or be refused at once."""
        session = self._session
        try:
            session.require_place()
            self._way.begin(session.account(), self._entry)
            try:
                self._way.require_place()
            except BusyError as error:
                if not self._inter:
                    raise
                self._late = error
        except RequestError as error:
            self._end("refused", error)
            return
        session.frames[self.number] = self
        self._task = asyncio.create_task(self._go(session.stream(self._arrived.stream)))

    def withdraw(self) -> None:
        """Nobody waits for the answer any more."""
        self._over = "cancelled"
        if self.decoded or not self._inter:
            self._cancel()
        else:
            self._way.release()  # what is left is not the edge's to wait for

    def abandon(self) -> None:
        """Its session has ended."""
        self._over = "abandoned"
        self._cancel()

    def refuse(self, error: RequestError) -> None:
        """There is no time for it: it is over at once, whatever a thread still does for it."""
        self._end(self._over or "refused", error)
        self._cancel()

    def _cancel(self) -> None:
        if self._task:
            self._task.cancel()
        if not self._begun:  # such a task never runs, and so cannot say that it is over
            self._end(self._over or "refused", None)

    async def _go(self, stream: Stream) -> None:
        self._begun = True
        watch = Stopwatch(self._session.service.metrics.steps, self._session.service.metrics.step_cpu)
        watch.note("receive", self._elapsed_s())
        try:
            said = await self._answered(stream, watch)
        except asyncio.CancelledError:
            stopped = UnavailableError("the server is stopping; try again later")
            self._end(self._over or "refused", None if self._over else stopped)
        except RequestError as error:
            self._end(self._over or "refused", error)
        except Exception:  # noqa: BLE001 - whatever it was, the session goes on
            _log.exception("a frame of a session was not answered")
            self._end(self._over or "refused", BrokenError("internal error; see the server's log"))
        else:
            self._end(self._over or "answered", said)

    async def _answered(self, stream: Stream, watch: Stopwatch) -> Answered:
        session = self._session
        composer = SessionComposer(
            session.service.metrics.step_cpu,
            self._way.account,
            watch,
            session.wanted,
            session.service.networks,
            {},
        )
        try:
            if self._inter:
                await stream.order.enter(self)
            way = await self._read(stream, composer)
        finally:
            stream.order.leave(self)
        if self._late:
            raise self._late
        if self._over:
            raise asyncio.CancelledError
        reply = await self._way.end(way, composer)
        steps_ms = watch.milliseconds() if self._arrived.timings else {}
        return Answered(self.number, reply.body, reply.json_bytes is None, steps_ms)

    async def _read(self, stream: Stream, composer: SessionComposer) -> Way:
        """It decoded, which its stream's next frame may need. Raises RequestError."""
        frame, session, way = self._arrived.frame, self._session, self._way
        late = not way.remaining_s(frame.deadline_ms)
        if late and not self._late:
            self._late = DeadlineError("the deadline passed before the frame was decoded")
        if self._late and not self._inter:
            raise self._late
        if self._inter:
            if self._late or self._over:
                way.account.require_compute()
            session.states.require(frame)
        self._tried = True
        read = partial(self._decode, stream)
        alone = not (self._late or self._over)
        video = partial(stream.video, session.service.decoder.videos, way.account) if self._inter else None
        try:
            found = await way.read(
                self._message.size, read, composer, frame.deadline_ms, alone=alone, video=video
            )
            if not self.decoded:
                self._note_decoded(stream)
        finally:
            if self._inter:
                self._note_state(stream)
        return found

    def _note_state(self, stream: Stream) -> None:
        """Count what its stream holds now, unless the session has ended, and forgets it."""
        states, client = self._session.states, self._session.client
        if self._over == "abandoned":
            states.leave(client, stream)
        elif self.decoded:
            states.use(client, stream, self._arrived.frame)
        else:
            states.fail(client, stream)

    def _note_decoded(self, stream: Stream) -> None:
        """For any thread."""
        if self._inter:
            stream.wanted = False
        self.decoded = True
        stream.order.decoded()

    def _decode(self, stream: Stream) -> tuple[LoadedNetwork, Work | Checked]:
        """On a thread."""
        with stream.guard:
            found = self._session.service.decoder.read_frame(
                self._arrived.frame, self._way.account, self._entry, stream.bound
            )
            # A picture of another size than the network's is decoded later.
            if isinstance(found[1], Work):
                self._note_decoded(stream)
        return found

    def _end(self, over: _Over, said: Answered | RequestError | None) -> None:
        """Count it, write it down, give back what it held, and say it to the edge. Does nothing if that was done."""
        if self._ended:
            return
        self._ended, self._late = True, None  # an error refers to this object, and it to the error
        session, size = self._session, self._message.size
        told = told_of(said) if isinstance(said, RequestError) else None
        refused = over == "refused" and told is not None
        ended = "abandoned" if over == "cancelled" else over
        if not self._tried:
            self._entry.note(self._arrived.frame)
        self._entry.decide(ended, told.reason if told and refused else None)
        metrics, seconds = session.service.metrics, self._elapsed_s()
        metrics.sessions.frames.labels(outcome=over).inc()
        metrics.duration.labels(endpoint=PATH).observe(seconds)
        if told and refused:
            assert isinstance(said, RequestError)
            session.sender.refused(told, said.status, PATH, Action.FRAME, size=size, seconds=seconds)
        if over == "abandoned":
            metrics.abandoned.inc()
        session.sender.ended(ended, int(over == "answered"), size, seconds)
        self._way.release()
        self._message.release()
        if self._inter and not self.decoded and over != "abandoned":
            self._want_keyframe(said)
        session.over(self.number, self, None if over in ("cancelled", "abandoned") else said)

    def _want_keyframe(self, said: Answered | RequestError | None) -> None:
        """The stream's next frame cannot be decoded, unless it needs no other."""
        if isinstance(said, StateMissingError):
            reason = "missing"
        else:
            reason = "damaged" if self._tried and not isinstance(said, OverQuotaError) else "refused"
        again = is_keyframe(self._arrived.frame)
        self._session.want_keyframe(self._arrived.stream, reason, again=again)
