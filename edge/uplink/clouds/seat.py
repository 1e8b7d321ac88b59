"""One of several clouds as one edition of the network asks it: whether it can answer that network's frames, and whether it is back."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from shared.errors import MismatchError, UplinkError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from edge.uplink.asking.question import Question
    from edge.uplink.clouds.choosing.load import Load
    from edge.uplink.clouds.choosing.ramp import Ramp
    from edge.uplink.clouds.member import Member
    from edge.uplink.reply import Reply
    from edge.uplink.session.stream import Ticket
    from edge.uplink.uplink import Uplink
    from shared.codecs.calibrated.profile import Profile

_log = logging.getLogger(__name__)

_BRING_S = 30.0
"""At least so long between two tries to bring a profile to a cloud that others make up for, as after a refusal of an only cloud."""
_LOOK_S = 1.0
"""At least so long between two questions for the network of a cloud that refuses frames."""


class Seat:
    """Used from the event loop only."""

    def __init__(self, member: Member, uplink: Uplink, clock: Callable[[], float]) -> None:
        self.member = member
        self.uplink = uplink
        self.joined = False
        """Whether the cloud has been greeted, and serves this edition's network."""
        self.problem: str | None = None
        """Why this network does not go with that of the cloud, as far as is known."""
        self._clock = clock
        self._looked_at = self._brought_at = float("-inf")
        self._told: str | None = None
        self._beside: set[asyncio.Task[None]] = set()
        self._trial: asyncio.Task[None] | None = None

    @property
    def load(self) -> Load:
        """That of its cloud."""
        return self.member.load

    @property
    def ramp(self) -> Ramp:
        """That of its cloud."""
        return self.member.ramp

    @property
    def is_paused(self) -> bool:
        """Whether its cloud has asked to be left alone for a moment."""
        return self.member.is_paused

    def has_joined(self) -> bool:
        """Whether it has `joined`."""
        return self.joined

    @property
    def is_open_to_frames(self) -> bool:
        """Whether frames may be sent to it now."""
        return self.joined and self.member.line.circuit.is_closed

    @property
    def wants_trial(self) -> bool:
        """Whether one frame is to show that it is back."""
        return self.joined and self.member.line.circuit.is_half_open and self._trial is None

    async def greet(self, *, hurry: bool = False) -> None:
        """Find out whether the cloud is there and serves the network; bring it the profiles that it lacks. `hurry`: something waits for it.

        Raises UplinkError if not: also, and said once, if it runs another network, or is no SplitDNN cloud.
        """
        try:
            await self.uplink.greet(hurry=hurry)
        except MismatchError as error:
            self._leave_out(str(error))
            raise UplinkError("refused", str(error)) from None
        except UplinkError as error:
            # Another network, which an edge with `--model cloud` may take in time.
            if error.reason == "refused":
                self._leave_out(str(error))
            else:
                self.problem = self.member.left_out = None
            raise
        self.joined, self.problem, self.member.left_out, self._told = True, None, None, None
        self.member.on_change()

    async def ask(
        self,
        frame: bytes,
        profile: Profile | None,
        question: Question,
        ticket: Ticket | None = None,
        *,
        trial: bool = False,
    ) -> Reply:
        """Send a frame, and learn from what becomes of it. Raises UplinkError.

        `trial`: the first after the cloud was away, for which it may have to compile: that says nothing of the next.
        """
        member, load = self.member, self.member.load
        number, reply = load.sent(), None
        try:
            reply = await self.uplink.ask(frame, profile, question, ticket)
        except UplinkError as error:
            load.gave_up(number, late=error.reason == "late")
            if error.reason == "busy":
                member.pause(error.retry_after_s)
            elif error.reason == "refused":
                self._look()
            raise
        except BaseException:
            load.gave_up(number)
            raise
        else:
            if trial:
                load.gave_up(number)
            else:
                load.answered(number)
        finally:
            member.learned()
        return reply

    def try_it(
        self, frame: bytes, profile: Profile | None, question: Question, done: Callable[[], object]
    ) -> None:
        """Send it a copy of a frame that another cloud answers, to see whether it is back; `done` is called after that."""
        self.member.metrics.frames["tried"].inc()
        self._trial = self._start(partial(self.ask, frame, profile, question, trial=True))
        self._trial.add_done_callback(self._tried)
        self._trial.add_done_callback(lambda _task: done())

    def bring(self, profile: Profile) -> None:
        """Its cloud lacks the profile of a frame that another one answers: bring it beside the frames, or it would be asked no more."""
        if self._clock() - self._brought_at >= _BRING_S:
            self._brought_at = self._clock()
            self._start(partial(self.uplink.bring, profile))

    async def close(self) -> None:
        """End what goes on beside the frames."""
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)

    def _tried(self, _task: object) -> None:
        self._trial = None

    def _look(self) -> None:
        """It refused a frame: see at once whether it runs another network now."""
        if self._clock() - self._looked_at >= _LOOK_S:
            self._looked_at = self._clock()
            self._start(self._look_again)

    async def _look_again(self) -> None:
        try:
            await self.greet()
        except UplinkError as error:
            if self.member.left_out and self.member.line.circuit.is_closed:
                self.member.line.circuit.open(str(error))

    def _start(self, work: Callable[[], Awaitable[object]]) -> asyncio.Task[None]:
        task = asyncio.create_task(_quietly(work))
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)
        return task

    def _leave_out(self, why: str) -> None:
        self.joined, self.problem, self.member.left_out = False, why, why
        if why != self._told:
            self._told = why
            _log.warning("left out until that changes: %s", why)
        self.member.on_change()


async def _quietly(work: Callable[[], Awaitable[object]]) -> None:
    """What goes on beside the frames costs none of them anything, and its failure is known where it happened."""
    try:
        await work()
    except UplinkError as error:
        _log.debug("beside the frames: %s", error)
