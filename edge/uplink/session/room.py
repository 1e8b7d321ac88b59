"""What the encoder asks before it encodes a frame: where the stream's state lies, and whether the link carries one more frame in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edge.uplink.session.stream import Stream, Ticket

if TYPE_CHECKING:
    from edge.uplink.session.carrying.flow import Flow
    from edge.uplink.session.metrics import SessionMetrics
    from edge.uplink.session.sessions import Sessions
    from shared.codecs.base import Codec
    from shared.wire.frame import Frame


class Room(Protocol):
    """For any thread. `Door` is that of one cloud; edge/uplink/clouds/choosing/doors.py has that of several."""

    def stream(self, codec: Codec) -> Stream:
        """For the frames of one camera under one plan, which has this codec."""

    def admits(self, stream: Stream, deadline_s: float, *, live: bool) -> bool:
        """Whether the stream's next frame may be encoded now. If so it begins in the place where it is going to travel.

        One that is not `live` always may: it can wait, and those after it wait for it.
        """

    def ticket(self, stream: Stream, frame: Frame) -> Ticket:
        """For a frame that has been encoded."""


class Door:
    """That of one cloud, for frames with one question."""

    def __init__(self, sessions: Sessions, flow: Flow, metrics: SessionMetrics, query: str) -> None:
        self._sessions = sessions
        self._flow = flow
        self._metrics = metrics
        self._query = query

    @property
    def place(self) -> object | None:
        """Where streams have their state now; None without a session."""
        return self._sessions.place(self._query)

    def stream(self, codec: Codec) -> Stream:
        """See `Room`."""
        return Stream(codec, self._metrics)

    def admits(self, stream: Stream, deadline_s: float, *, live: bool) -> bool:
        """See `Room`. Without a session every frame may."""
        if live and not self.has_room(stream, deadline_s):
            self.withheld()
            return False
        stream.enter(self.place)
        return True

    def has_room(self, stream: Stream, deadline_s: float) -> bool:
        """Whether the stream's next frame would be answered in time, as far as is known; nothing changes by that."""
        if self.place is None:
            return True
        return self._flow.has_room(
            stream.usual_bytes, deadline_s, stream.under_way, builds=stream.needs_order
        )

    def withheld(self) -> None:
        """A frame is not encoded, for want of room."""
        self._metrics.withheld.inc()

    def ticket(self, stream: Stream, frame: Frame) -> Ticket:
        """See `Room`."""
        reservation = None if self.place is None else self._flow.reserve(frame.payload_bytes, stream)
        return Ticket(stream.encoded(frame), frame, reservation)
