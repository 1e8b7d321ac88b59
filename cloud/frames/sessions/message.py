"""What brought a frame of a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloud.access.budget import BodyBudget, Place
    from cloud.config import CloudSettings

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
