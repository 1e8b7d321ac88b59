"""One frame on its way through a session, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections import deque
    from collections.abc import Hashable

    from edge.uplink.session.carrying.flow import Reservation
    from edge.uplink.session.stream import Part
    from shared.wire.frame import Frame
    from shared.wire.session.messages import Answered, Refused


class UnsentError(Exception):
    """The session cannot bring this frame's answer any more; it may go another way, unless it needs the frame before it."""

    def __init__(self, *, was_sent: bool = False) -> None:
        """`was_sent`: what goes another way is a copy of it."""
        super().__init__()
        self.was_sent = was_sent


class StatelessError(Exception):
    """The frame needs one before it that was not sent, or was lost: no cloud could decode it."""


@dataclass(slots=True)
class Back:
    """What came for a frame."""

    said: Answered | Refused
    cloud: str
    """The id of the cloud that says it."""
    sent_bytes: int
    """Those of the frame's messages, with their framing."""
    received_bytes: int
    on_the_way_s: float
    """From its sending to its answer, without the cloud's own time."""


@dataclass(slots=True)
class Passage:
    """From the call to the answer."""

    frame: Frame
    key: Hashable
    """Tells its stream from others."""
    part: Part | None
    future: asyncio.Future[Back]
    reservation: Reservation | None
    number: int | None = None
    """None before it is first sent."""
    sent_at: float = 0.0
    sent_bytes: int = 0
    resent: bool = False
    cancelled: bool = field(default=False)

    @property
    def may_go_alone(self) -> bool:
        """Whether it can be decoded wherever it comes."""
        return self.part is None or self.part.is_keyframe

    def fail(self, error: Exception) -> None:
        """There is no answer; whoever waits learns why."""
        if self.part is not None and not (isinstance(error, UnsentError) and self.part.is_keyframe):
            self.part.forget("lost")
        if not self.future.done():
            self.future.set_exception(error)

    def lost(self) -> None:
        """Its session ended before its answer: another way is tried if there is one."""
        self.fail(UnsentError(was_sent=self.sent_bytes > 0) if self.may_go_alone else StatelessError())


def lose(queue: deque[Passage]) -> None:
    """None of these is going to be sent by this session."""
    while queue:
        queue.popleft().lost()
