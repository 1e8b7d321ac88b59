"""The frames of one camera under one plan, and whether each may need the one before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from edge.uplink.session.carrying.flow import Reservation
    from edge.uplink.session.metrics import SessionMetrics
    from shared.codecs.base import Codec
    from shared.wire.frame import Frame


@dataclass(frozen=True, slots=True)
class Part:
    """One encoded frame's place in its stream."""

    stream: Stream
    sequence: int
    """Among the frames of the stream that were encoded, from 0."""
    is_keyframe: bool
    """Whether it can be decoded without the frame before it."""

    @property
    def key(self) -> Hashable:
        """Tells streams apart."""
        return self.stream

    def forget(self, reason: str) -> None:
        """The frame was not sent, or not decoded: the stream's next one must need none, unless it was made so since."""
        self.stream.forget(reason, self.sequence)


class Stream:
    """Encodes by one thread; `forget` is for any. The state is taken to lie in a place: one connection of one session."""

    def __init__(self, codec: Codec, metrics: SessionMetrics) -> None:
        """`codec` is the plan's, which other streams may share."""
        self.codec = codec.for_stream() if codec.inter else codec
        self.usual_bytes = 0
        """The size of its latest frame that needed another, or where none does of its latest; 0 before that is known."""
        self.under_way = 0
        """Frames that are encoded and not answered, and for which there is a reservation."""
        self.home: object = None
        """Which of several clouds has its state. Used from the event loop only."""
        self._metrics = metrics
        self._place: object = None
        self._why = "start"
        self._count = 0
        self._keyframe = -1

    @property
    def needs_order(self) -> bool:
        """Whether its frames may need those before them."""
        return self.codec.inter

    def move(self, home: object, place: object | None) -> None:
        """A keyframe goes to another cloud than it was encoded for, and there the next frame may need it."""
        self._place = place
        self.home = home

    def enter(self, place: object | None) -> None:
        """The next frame is going to travel there; None: by itself, without a session. To be called before it is encoded."""
        if self.codec.inter and (place is None or place is not self._place):
            self._why = "alone" if place is None else "start" if self._place is None else "break"
            self.codec.forget()
        self._place = place

    def encoded(self, frame: Frame) -> Part:
        """What `codec` has made, in order."""
        keyframe = True
        if self.codec.inter:
            keyframe = not any(
                self.codec.of_tensor(number).needs(tensor.params)
                for number, tensor in enumerate(frame.tensors)
            )
            if keyframe:
                self._metrics.keyframe(self._why)
                self._keyframe, self._why = self._count, "interval"
        if not keyframe or not self.codec.inter:
            self.usual_bytes = frame.payload_bytes
        part = Part(self, self._count, keyframe)
        self._count += 1
        return part

    def forget(self, reason: str, sequence: int | None = None) -> None:
        """The state is lost, of the frame of this sequence number: nothing if a later frame needs none of it already."""
        if self.codec.inter and (sequence is None or sequence >= self._keyframe):
            self._why = reason
            self.codec.forget()


@dataclass(frozen=True, slots=True)
class Ticket:
    """For one frame."""

    part: Part
    frame: Frame
    reservation: Reservation | None
    """None for a frame that was encoded while there was no session."""

    def done(self) -> None:
        """The frame was answered, or is not going to be. May be called again."""
        if self.reservation:
            self.reservation.release()

    def unsent(self) -> None:
        """It is not going to be sent."""
        self.part.forget("lost")
        self.done()
