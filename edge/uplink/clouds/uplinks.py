"""Sends the frames of one network to several clouds: each frame to one of them, and to another if that one does not answer it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from edge.uplink.asking.asking import Asking
from edge.uplink.clouds.choosing.choice import choose
from edge.uplink.clouds.choosing.doors import Doors
from edge.uplink.clouds.seat import Seat
from shared.errors import MismatchError, UplinkError
from shared.wire.frame import codec_of, heading

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.uplink.asking.question import Question
    from edge.uplink.clouds.clouds import Clouds
    from edge.uplink.clouds.joint_circuit import JointCircuit
    from edge.uplink.clouds.typical import Typical
    from edge.uplink.reply import Reply
    from edge.uplink.session.stream import Part, Ticket
    from edge.uplink.uplink import Uplink
    from shared.codecs.base import Codec
    from shared.codecs.calibrated.profile import Profile
    from shared.tasks.base import Task
    from shared.tasks.spec import Wanted

FIRST_SHARE = 0.75
"""The part of its deadline for which a frame waits for the first cloud, if there is another; the rest is that one's."""
_LEAST_S = 0.005
"""With less than this left a frame is not sent once more."""


class Uplinks:
    """Takes the place of an `Uplink` where there are several clouds. Used from the event loop only."""

    def __init__(self, clouds: Clouds, uplinks: Sequence[Uplink], *, follows: bool) -> None:
        """`clouds` must be open, and `uplinks` has one for each, of the same network. `follows` as of an `Uplink`."""
        self._clouds = clouds
        self._seats = [
            Seat(member, uplink, clouds.clock) for member, uplink in zip(clouds.members, uplinks, strict=True)
        ]
        self._follows = follows
        self._greetings: dict[asyncio.Task[None], Seat] = {}
        self._in_force = False

    @property
    def circuit(self) -> JointCircuit:
        """That of all clouds together."""
        return self._clouds.circuit

    @property
    def has_session(self) -> bool:
        """Whether frames go over a session to one of them now, so that one may need the one before it."""
        return any(seat.uplink.has_session for seat in self._seats if seat.is_open_to_frames)

    @property
    def frame_overhead_bytes(self) -> float:
        """What a frame costs on the wire beside its payload, its answer included: where it costs the most."""
        there = [seat for seat in self._seats if seat.is_open_to_frames] or self._seats
        return max(seat.uplink.frame_overhead_bytes for seat in there)

    @property
    def link(self) -> Typical:
        """That of the cloud which plans are made for."""
        return self._clouds.link

    def retire(self) -> None:
        """Another network is taken: ask no more for tail times. Frames under way may still be sent."""
        for seat in self._seats:
            seat.uplink.retire()

    async def close(self) -> None:
        """End what goes on beside the frames."""
        for task in self._greetings:
            task.cancel()
        await asyncio.gather(*self._greetings, return_exceptions=True)
        for seat in self._seats:
            await seat.close()
            await seat.uplink.close()

    async def check(self, *, hurry: bool = True) -> None:
        """Compare this network with every cloud's, before the first frame; returns once one of them serves it, or all have been asked.

        `hurry`: that frame waits for it.

        Raises MismatchError if all of them run something else that the edge is not going to take.
        """
        self._greetings = {asyncio.create_task(seat.greet(hurry=hurry)): seat for seat in self._seats}
        waiting = set(self._greetings)
        while waiting and not any(seat.joined for seat in self._seats):
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        problems = [seat.problem for seat in self._seats]
        if all(problems) and not self._follows:
            raise MismatchError("\n".join(filter(None, problems)))
        for task in self._greetings:
            task.add_done_callback(self._greeted)

    def take_over(self) -> None:
        """From now on it is by this network that clouds are asked whether they are back."""
        self._in_force = True
        for seat in self._seats:
            seat.member.line.probe_with(seat.greet)
            seat.member.joined = seat.has_joined
        for task in list(self._greetings):
            if task.done():
                self._greeted(task)

    def can_answer(self, split_point: str, codec: Codec | None) -> bool:
        """Whether a cloud to which frames go now has this split point and codec, and its profile if it has one; true for None."""
        here = [seat for seat in self._seats if seat.is_open_to_frames] or self._seats
        return any(seat.uplink.can_answer(split_point, codec) for seat in here)

    def asking(self, wanted: Wanted, task: Task, deadline_s: float, camera: str = "") -> Asking:
        """The way to the clouds for frames whose answers are to be these, read by `task`, within `deadline_s`."""
        question = self._seats[0].uplink.question(wanted, task, deadline_s, camera)
        return Asking(self, question, Doors({seat: seat.uplink.room(question) for seat in self._seats}))

    async def ask(
        self, frame: bytes, profile: Profile | None, question: Question, ticket: Ticket | None = None
    ) -> Reply:
        """Send one frame to one of the clouds, and once more to another if it is not answered; at most for the deadline.

        The first may have answered it all the same: an answer depends on the frame alone, so that does no harm. Raises UplinkError.
        """
        clouds, start = self._clouds, self._clouds.clock()
        able = self._able(frame, profile)
        seats = [seat for seat in able if seat.is_open_to_frames]
        part = ticket.part if ticket else None
        may_go_alone = part is None or part.is_keyframe
        if not seats:
            return await self._try(able, frame, profile, question)
        clouds.budget.frame()
        for seat in able:
            if seat.wants_trial and may_go_alone and clouds.wire.budget.claim(len(frame)):
                seat.try_it(frame, profile, question, partial(clouds.wire.budget.settle, len(frame)))
        first = self._for_stream(seats, part, question) if part else choose(seats)
        if ticket and ticket.reservation:
            ticket.reservation.move(first.member.line.flow)
        patience_s = question.deadline_s * (FIRST_SHARE if len(seats) > 1 else 1.0)
        outcome = "failed"
        try:
            reply = await first.ask(frame, profile, question.within(patience_s), ticket)
        except UplinkError:
            left_s = question.deadline_s - (clouds.clock() - start)
            seats = [seat for seat in able if seat.is_open_to_frames and seat is not first]
            if not (may_go_alone and seats) or left_s < _LEAST_S or not clouds.budget.take():
                raise
            if not clouds.wire.budget.claim(len(frame)):
                raise
            outcome = "resent"
        else:
            outcome = "answered"
            clouds.link.answered(first.member)
            return reply
        finally:
            first.member.metrics.frames[outcome].inc()
        return await self._once_more(choose(seats), frame, profile, question.within(left_s))

    def _for_stream(self, seats: Sequence[Seat], part: Part, question: Question) -> Seat:
        """The cloud that has the stream's state. A frame that needs none of it may find the stream another."""
        home = part.stream.home
        if not part.stream.needs_order:
            return choose(seats)
        for seat in seats:
            if seat is home and not (part.is_keyframe and seat.is_paused):
                return seat
        if not part.is_keyframe:
            part.forget("lost")
            raise UplinkError("state", "the cloud that has the frame before it is not asked now")
        seat = choose(seats)
        part.stream.move(seat, seat.uplink.room(question).place)
        return seat

    def follow_tail_times(self, take: Callable[..., bool]) -> None:
        """As an uplink's; `take` is given the cloud's name as well, as `cloud`."""
        for seat in self._seats:
            seat.uplink.follow_tail_times(partial(take, cloud=seat.member.name))

    async def _once_more(
        self, seat: Seat, frame: bytes, profile: Profile | None, question: Question
    ) -> Reply:
        """A copy, which has claimed its bytes."""
        outcome = "failed"
        try:
            reply = await seat.ask(frame, profile, question)
            outcome = "answered"
        finally:
            self._clouds.wire.budget.settle(len(frame))
            seat.member.metrics.frames[outcome].inc()
        self._clouds.link.answered(seat.member)
        return reply

    async def _try(
        self, able: Sequence[Seat], frame: bytes, profile: Profile | None, question: Question
    ) -> Reply:
        """No cloud is asked: this frame, which the edge answers, may show that one is back."""
        for seat in able:
            if seat.wants_trial:
                seat.member.metrics.frames["tried"].inc()
                return await seat.ask(frame, profile, question, trial=True)
        raise UplinkError("circuit_open", "no cloud is asked now")

    def _able(self, frame: bytes, profile: Profile | None) -> list[Seat]:
        """Those that can answer the frame; if none can for want of its profile only, those that could be brought that; else all.

        One that has the profile, and is not there, keeps no frame from those that could be brought it. The others are brought it meanwhile.
        """
        _, split_point = heading(frame)
        codec_id = codec_of(frame)
        able = [seat for seat in self._seats if seat.uplink.decodes(split_point, codec_id)] or self._seats
        having = [seat for seat in able if seat.uplink.has(profile)]
        there = [seat for seat in able if seat.is_open_to_frames]
        if not having or (there and not set(having) & set(there)):
            return able
        for seat in there:
            if profile is not None and seat not in having:
                seat.bring(profile)
        return having

    def _greeted(self, task: asyncio.Task[None]) -> None:
        """A greeting has ended. A cloud that is away, or runs something else, is asked again until it can be joined."""
        seat = self._greetings.pop(task, None) if self._in_force else None
        if seat is None or task.cancelled():
            return
        circuit, error = seat.member.line.circuit, task.exception()
        if error and not circuit.is_open:
            circuit.open(f"no cloud at {seat.member.name} ({error})")
