"""What a frame of a session comes with: what brought it, and its session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from cloud.access.budget import BodyBudget, Place
    from cloud.access.clients import Account
    from cloud.config import CloudSettings
    from cloud.frames.sender import Sender
    from cloud.frames.sessions.streams import States, Stream
    from cloud.service import Service
    from shared.errors import RequestError
    from shared.tasks.spec import Wanted
    from shared.wire.session.messages import Answered

_MOST_BYTES = 16 << 20
"""A longer message would hold up the event loop for tens of milliseconds, as it is unmasked and checked there: such a frame goes by a request."""


def most_bytes(settings: CloudSettings) -> int:
    """How long a message may be."""
    return min(settings.max_body_bytes, _MOST_BYTES)


@dataclass(slots=True)
class Message:
    """A message that has come."""

    size: int
    began_s: float
    """When its first byte came, by `time.monotonic`: its frame's deadline counts from then."""
    budget: BodyBudget
    place: Place | None
    """What it holds of the memory for bodies; None for a short one, or where that was given back."""
    claimed: bool = False
    """Whether a frame has taken it over, which releases it."""

    def release(self) -> None:
        """Give back its memory; may be called twice."""
        if self.place:
            self.budget.release(self.place)
            self.place = None


class Home(Protocol):
    """The session of a frame."""

    service: Service
    sender: Sender
    client: str
    frames: dict[int, Any]
    wanted: Wanted

    @property
    def states(self) -> States:
        """What the streams of all sessions hold."""

    def account(self) -> Account:
        """Whom it is charged to. Raises BusyError."""

    def require_place(self) -> None:
        """Raise OverQuotaError if no more frames may be under way."""

    def stream(self, number: int) -> Stream:
        """The stream of this number."""

    def want_keyframe(self, number: int, reason: str, *, again: bool) -> None:
        """A stream has no state."""

    def over(self, number: int, passage: object, said: Answered | RequestError | None) -> None:
        """A frame is over; what is to be said of it."""
