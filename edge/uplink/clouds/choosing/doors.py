"""What the encoder asks before it encodes a frame, where there are several clouds: a stream has its state at one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.uplink.clouds.seat import Seat
    from edge.uplink.session.room import Door
    from edge.uplink.session.stream import Stream, Ticket
    from shared.codecs.base import Codec
    from shared.wire.frame import Frame


class Doors:
    """A stream keeps to the cloud to which its first frame went, as long as frames go there. For any thread."""

    def __init__(self, doors: Mapping[Seat, Door]) -> None:
        """One for each cloud."""
        self._doors = doors
        self._admitting: Door | None = None

    def stream(self, codec: Codec) -> Stream:
        """See edge/uplink/session/room.py."""
        return next(iter(self._doors.values())).stream(codec)

    def admits(self, stream: Stream, deadline_s: float, *, live: bool) -> bool:
        """See edge/uplink/session/room.py. A stream that has no cloud may go to any of them."""
        doors = self._of(stream)
        door = next((each for each in doors if not live or each.has_room(stream, deadline_s)), None)
        if door is None:
            doors[0].withheld()
            return False
        stream.enter(door.place)
        self._admitting = door
        return True

    def ticket(self, stream: Stream, frame: Frame) -> Ticket:
        """See edge/uplink/session/room.py. To be called after `admits`, by the same thread."""
        return (self._admitting or self._of(stream)[0]).ticket(stream, frame)

    def _of(self, stream: Stream) -> list[Door]:
        for seat, door in self._doors.items():
            if seat is stream.home and seat.is_open_to_frames:
                return [door]
        there = [door for seat, door in self._doors.items() if seat.is_open_to_frames]
        return [door for door in there if door.place is not None] or there or [*self._doors.values()]
