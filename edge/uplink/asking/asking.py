"""The way to the cloud, or to several, as one camera wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from edge.uplink.asking.question import Question
    from edge.uplink.reply import Reply
    from edge.uplink.session.room import Room
    from edge.uplink.session.stream import Ticket
    from shared.codecs.calibrated.profile import Profile


class _Asked(Protocol):
    async def ask(
        self, frame: bytes, profile: Profile | None, question: Question, ticket: Ticket | None
    ) -> Reply: ...


class Asking:
    """An uplink, or those to several clouds, with a question of its own."""

    def __init__(self, uplink: _Asked, question: Question, room: Room) -> None:
        self.room = room
        """For the encoder."""
        self._uplink = uplink
        self._question = question

    async def ask(self, frame: bytes, profile: Profile | None = None, ticket: Ticket | None = None) -> Reply:
        """As the uplink's. Raises UplinkError."""
        return await self._uplink.ask(frame, profile, self._question, ticket)
