"""Whom a request or a session is charged to, and how what becomes of its frames is counted and written down."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from cloud.access.audit import Action, Outcome
from shared.errors import RequestError
from shared.security.escape import shown

if TYPE_CHECKING:
    from cloud.service import Service

_log = logging.getLogger(__name__)

MAX_TEXT = 400
"""Characters of a refusal: it may quote the request, and a profile's names are as long as their sender likes."""
INTERNAL = "internal"


class Told(NamedTuple):
    """What a sender is told of a refusal."""

    text: str
    reason: str
    """Under which it is counted."""
    accepted: Any

    def public(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"error": self.text, "reason": self.reason, "accepted": self.accepted}


def told_of(error: BaseException | None) -> Told:
    """What is said of an error; details of bugs are not."""
    if isinstance(error, RequestError):
        return Told(shown(str(error), MAX_TEXT), error.reason, error.accepted)
    return Told("internal error; see the server's log", INTERNAL, None)


@dataclass(slots=True)
class Sender:
    """Whoever sent it. On the event loop only."""

    service: Service
    client: str
    """The name of a token or a certificate, which makes it `known`, else an address."""
    known: bool

    @property
    def label(self) -> str | None:
        """The client's name for metrics; None where no more than its address is known."""
        return self.client if self.known else None

    def note(
        self,
        action: Action,
        outcome: Outcome,
        *,
        reason: str | None = None,
        subject: str | None = None,
        size: int = 0,
        seconds: float = 0.0,
    ) -> None:
        """Write a line of the audit about what it wanted, which was so many bytes long and took so many seconds."""
        self.service.audit.note(
            self.client,
            action,
            outcome,
            reason=reason,
            subject=subject,
            size=size,
            seconds=seconds,
            known=self.known,
        )

    def refused(
        self, told: Told, status: int, path: str, action: Action, *, size: int = 0, seconds: float = 0.0
    ) -> None:
        """Count a refusal of what it sent to this path, and write it down."""
        service = self.service
        service.metrics.rejected.labels(reason=told.reason).inc()
        service.recent.refused(self.client, told.reason)
        outcome = Outcome.FAILED if told.reason == INTERNAL else Outcome.REFUSED
        self.note(action, outcome, reason=told.reason, size=size, seconds=seconds)
        if service.refusal_lines.take():  # whoever is refused as often as he likes fills no log
            _log.info("%s refused with %d (%s): %s", path[:MAX_TEXT], status, told.reason, told.text)

    def ended(self, outcome: str, frames: int, size: int, seconds: float) -> None:
        """Count what is over: `answered`, `refused` or `abandoned`, with so many frames answered, of so many bytes."""
        self.service.metrics.clients.ended(self.label, outcome, size)
        self.service.recent.ended(self.client, frames, size, seconds)
