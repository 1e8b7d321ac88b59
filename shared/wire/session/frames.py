"""A frame of a session: what its stream does not say, and numbers as differences to those of the frame before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared import limits
from shared.errors import WireError
from shared.wire.checks import check_limit
from shared.wire.frame import EncodedTensor, Frame
from shared.wire.session import varint
from shared.wire.session.fields import require_number
from shared.wire.session.kinds import DEADLINE, TIMINGS, Kind
from shared.wire.session.messages import NUMBERS

if TYPE_CHECKING:
    from shared.wire.frame import Bytes
    from shared.wire.session.fields import Reader
    from shared.wire.session.streams import Stream

_ID_VALUES = 1 << 64
_NS_IN_MS = 1_000_000
MAX_CAPTURE_MS = (_ID_VALUES - 1) // _NS_IN_MS
MAX_DEADLINE_MS = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Told:
    """A stream as both sides of a connection know it."""

    stream: Stream
    frame_id: int = 0
    """The last frame's."""
    capture_ms: int = 0
    """The last frame's, in milliseconds since 1970."""

    @classmethod
    def of(cls, stream: Stream, before: Told | None) -> Told:
        """A stream that is told anew, after its last frame if there was one."""
        return cls(stream, before.frame_id, before.capture_ms) if before else cls(stream)

    def after(self, frame: Frame) -> Told:
        """The same when this frame has been sent, or has come."""
        return Told(self.stream, frame.frame_id, frame.capture_time_ns // _NS_IN_MS)


def packed_frame(
    frame: Frame, number: int, last: int, stream: int, told: Told, *, timings: bool, deadline_ms: int
) -> list[Bytes]:
    """The fields of a frame. `last`: the number of the frame before; `deadline_ms`: the deadline of those that say none.

    Raises WireError for a frame that does not fit its fields.
    """
    capture_ms = frame.capture_time_ns // _NS_IN_MS
    if not 0 <= frame.frame_id < _ID_VALUES or not 0 <= capture_ms <= MAX_CAPTURE_MS:
        raise WireError(
            f"frame id {frame.frame_id}, capture time {frame.capture_time_ns} ns: one of them does not fit its field"
        )
    if not 0 <= frame.deadline_ms <= MAX_DEADLINE_MS:
        raise WireError(f"a deadline of {frame.deadline_ms} ms; accepted: 0 to {MAX_DEADLINE_MS}")
    check_limit("payload", frame.payload_bytes, limits.MAX_PAYLOAD_BYTES)
    own = frame.deadline_ms != deadline_ms
    head = bytearray((Kind.FRAME | TIMINGS * timings | DEADLINE * own,))
    for field in (
        varint.zigzag(varint.turn(require_number(number) - last - 1, NUMBERS)),
        stream,
        varint.zigzag(varint.turn(frame.frame_id - told.frame_id, _ID_VALUES)),
        varint.zigzag(capture_ms - told.capture_ms),
        *((frame.deadline_ms,) if own else ()),
        *(len(tensor.payload) for tensor in frame.tensors[:-1]),
    ):
        head += varint.packed(field)
    for tensor, known in zip(frame.tensors, told.stream.tensors, strict=True):
        head += tensor.params[len(known.params) :]
    return [head, *(tensor.payload for tensor in frame.tensors)]


def read_number(reader: Reader, last: int) -> int:
    """The frame's number. Raises WireError."""
    return (last + 1 + _turned(reader, NUMBERS)) % NUMBERS


def read_start(reader: Reader, told: Told) -> Told:
    """The stream at this frame. Raises WireError."""
    frame_id = (told.frame_id + _turned(reader, _ID_VALUES)) % _ID_VALUES
    capture_ms = told.capture_ms + reader.difference()
    if not 0 <= capture_ms <= MAX_CAPTURE_MS:
        raise WireError(f"a capture time of {capture_ms} ms since 1970")
    return Told(told.stream, frame_id, capture_ms)


def read_rest(reader: Reader, told: Told, fingerprint: bytes, deadline_ms: int) -> Frame:
    """The whole frame; its payloads are views of the message. Raises WireError."""
    if reader.flags & DEADLINE:
        own_ms = reader.number(MAX_DEADLINE_MS, "a deadline in ms")
        if own_ms == deadline_ms:
            raise WireError("a frame says the deadline that it has without saying it")
        deadline_ms = own_ms
    known = told.stream.tensors
    lengths = [reader.number(limits.MAX_PAYLOAD_BYTES, "payload") for _ in known[1:]]
    params = [tensor.params + bytes(reader.bytes(tensor.more_bytes)) for tensor in known]
    payloads = [*map(reader.bytes, lengths), reader.rest()]
    check_limit("payload", sum(map(len, payloads)), limits.MAX_PAYLOAD_BYTES)
    tensors = tuple(
        EncodedTensor(tensor.codec_id, tensor.shape, each, payload)
        for tensor, each, payload in zip(known, params, payloads, strict=True)
    )
    time_ns = told.capture_ms * _NS_IN_MS
    return Frame(told.stream.split_point, tensors, fingerprint, told.frame_id, time_ns, deadline_ms)


def _turned(reader: Reader, size: int) -> int:
    """A difference modulo `size`, said the shortest way round."""
    found = reader.difference()
    if varint.turn(found, size) != found:
        raise WireError(f"a difference of {found} modulo {size}")
    return found
