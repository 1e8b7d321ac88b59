"""A frame's way to the cloud: over the session if there is one, by a request of its own if there is none."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING

from edge.uplink.asking.answers import keeps_state, reply_from
from edge.uplink.asking.exchange import Exchange
from edge.uplink.profiles.clouds import UNNAMED
from edge.uplink.profiles.lacking import Lacking
from edge.uplink.session.passage import StatelessError, UnsentError
from shared.errors import UplinkError
from shared.wire.frame import unpack

if TYPE_CHECKING:
    from edge.metrics import EdgeMetrics
    from edge.uplink.asking.question import Question
    from edge.uplink.line import Line
    from edge.uplink.profiles.upload import ProfileUpload
    from edge.uplink.reply import Reply
    from edge.uplink.session.passage import Back
    from edge.uplink.session.session import Session
    from edge.uplink.session.sessions import Sessions
    from edge.uplink.session.stream import Part, Ticket

_log = logging.getLogger(__name__)

_WAYS = 3
"""Sessions that a frame tries, one after the other, before it goes by HTTP."""
_REASONS = {"old": "refused", "refused": "refused", "closed": "unreachable", "protocol": "refused"}
_STATELESS = "the frame needs one before it that was not sent"


class Streaming:
    """Sends the frames of one network over one line."""

    def __init__(self, line: Line, sessions: Sessions, metrics: EdgeMetrics) -> None:
        self._line = line
        self._sessions = sessions
        self._metrics = metrics
        self._exchange = Exchange(line, metrics, time.monotonic)

    async def ask(
        self, frame: bytes, upload: ProfileUpload | None, question: Question, ticket: Ticket | None
    ) -> Reply:
        """Send the frame and read the answer. Raises UplinkError."""
        with contextlib.ExitStack() as claims:
            return await self._ask(frame, upload, question, ticket, claims)

    async def _ask(
        self,
        frame: bytes,
        upload: ProfileUpload | None,
        question: Question,
        ticket: Ticket | None,
        claims: contextlib.ExitStack,
    ) -> Reply:
        """`claims`: those of the data budget for copies, to be settled."""
        part = ticket.part if ticket else None
        for _ in range(_WAYS):
            of = self._sessions.wait if self._sessions.is_only else None
            session = await of(question) if of else self._sessions.of(question)
            if session is None:
                break
            try:
                return await self._by_session(session, frame, upload, question, ticket)
            except UnsentError as error:
                if error.was_sent:
                    self._claim(len(frame), part, claims)
            except StatelessError:
                raise UplinkError("state", _STATELESS) from None
        if part and not part.is_keyframe:
            part.forget("lost")
            raise UplinkError("state", _STATELESS)
        if self._sessions.is_only:
            why = self._sessions.refusal(question)
            raise UplinkError(_REASONS.get(why.reason, why.reason), f"no session: {why}")
        payload_bytes = ticket.frame.payload_bytes if ticket else None
        return await self._exchange.post(frame, upload, question, payload_bytes)

    def _claim(self, size: int, part: Part | None, claims: contextlib.ExitStack) -> None:
        """A frame was sent, and is going to be once more. Raises UplinkError."""
        budget = self._metrics.wire.budget
        if not budget.claim(size):
            if part:
                part.forget("lost")
            raise UplinkError(
                "budget", "the data budget has no bytes for sending the frame once more"
            ) from None
        claims.callback(budget.settle, size)

    async def _by_session(
        self,
        session: Session,
        data: bytes,
        upload: ProfileUpload | None,
        question: Question,
        ticket: Ticket | None,
    ) -> Reply:
        """Raises UplinkError, UnsentError, StatelessError."""
        if upload:
            await upload.ready()
        frame = ticket.frame if ticket else unpack(data)
        lacking = Lacking(upload) if upload else None
        part, reservation = (ticket.part, ticket.reservation) if ticket else (None, None)
        key = part.key if part else (question.camera, frame.split_point, frame.tensors[0].codec_id)
        while True:
            back = await session.ask(frame, key, part, reservation)
            try:
                reply = await reply_from(back, question)
            except UplinkError as error:
                if part and not keeps_state(error):
                    part.forget("lost")
                self._exchange.note(error)
                if error.reason != "profile" or not lacking or (part and not part.is_keyframe):
                    raise
                await lacking.resolve(back.cloud or UNNAMED, question.deadline_s)
            else:
                if upload:
                    upload.holders.note(reply.cloud or UNNAMED, there=True)
                self._learn(back, reply, frame.payload_bytes)
                return reply

    def _learn(self, back: Back, reply: Reply, payload_bytes: int) -> None:
        """Export what an answered frame shows."""
        line, metrics, state = self._line, self._metrics, self._line.link.state
        line.heard.note(None)
        line.overhead.by_session(back.sent_bytes - payload_bytes + back.received_bytes)
        metrics.uplink_bytes.inc(back.sent_bytes)
        if back.on_the_way_s > 0:
            metrics.uplink_throughput.set(back.sent_bytes / back.on_the_way_s)
        metrics.link_throughput.set(state.bytes_per_s)
        metrics.link_round_trip.set(state.round_trip_s)
        if reply.steps_ms:
            metrics.cloud_queue_wait.set(reply.steps_ms.get("queue", 0.0) / 1e3)
