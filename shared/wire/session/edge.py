"""The edge's side of one connection of a session, without input and output.

Every connection has an object of its own: what was said over an earlier one does not count. All messages that it makes are sent, in the
order in which they were made, as the CRC of one begins with that of the one before. For one thread at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared import limits
from shared.errors import LimitError, WireError
from shared.wire.checks import check_limit
from shared.wire.session import varint
from shared.wire.session.answers import read_answer, read_refusal
from shared.wire.session.fields import CRC_BYTES, Reader, packed_numbers, require_number, sealed
from shared.wire.session.frames import Told, packed_frame
from shared.wire.session.greetings import packed_hello, read_welcome
from shared.wire.session.kinds import Kind
from shared.wire.session.messages import NUMBERS, GoAway, Hello, KeyframeWanted, Welcome
from shared.wire.session.streams import packed_stream, stream_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.wire.frame import Bytes, Frame
    from shared.wire.session.messages import FromCloud

MAX_CLOUD_BYTES = limits.MAX_REPLY_BYTES + limits.MAX_ANSWER_OVERHEAD_BYTES
"""The longest message that an edge takes."""


class EdgeConnection:
    """Makes the messages of the edge, and reads those of the cloud."""

    def __init__(self, first_number: int = 0) -> None:
        """`first_number`: of the first frame that is not sent once more; a session's numbers go on over its connections."""
        self._next = require_number(first_number)
        self._last = NUMBERS - 1
        self._hello: Hello | None = None
        self._welcome: Welcome | None = None
        self._streams: dict[int, Told] = {}
        self._crc = 0

    @property
    def next_number(self) -> int:
        """The number of the next frame that is not sent once more."""
        return self._next

    def hello(self, hello: Hello) -> bytes:
        """The first message. Raises WireError for what does not fit its fields."""
        if self._hello is not None:
            raise WireError("a connection has one hello")
        message = self._sealed(packed_hello(hello))
        self._hello = hello
        return message

    def frame(
        self, frame: Frame, stream: int, *, timings: bool, number: int | None = None
    ) -> tuple[int, list[bytes]]:
        """The frame's number, and the messages to send in order: what its stream is, if that is new or has changed, and the frame.

        `number`: the frame's own, if it was sent over an earlier connection already. Raises WireError, and nothing has changed then, for
        a frame that does not fit its fields, or that the cloud would not take: of another network, of a stream too many, too long.
        """
        hello, welcome = self._hello, self._welcome
        if hello is None or welcome is None:
            raise WireError("a frame comes after the cloud's welcome")
        if frame.fingerprint != hello.fingerprint:
            raise WireError("the frame is of another network than the session")
        if not 0 <= stream < welcome.streams:
            raise LimitError(f"stream {stream} of {welcome.streams}", accepted={"streams": welcome.streams})
        own = self._next if number is None else number
        messages: list[Sequence[Bytes]] = []
        told = self._streams.get(stream)
        if told is None or not told.stream.fits(frame):
            told = Told.of(stream_for(frame, told.stream if told else None), told)
            messages.append([bytes((Kind.STREAM,)), varint.packed(stream), packed_stream(told.stream)])
        deadline_ms = hello.deadline_ms
        messages.append(
            packed_frame(frame, own, self._last, stream, told, timings=timings, deadline_ms=deadline_ms)
        )
        for fields in messages:
            check_limit("a message", sum(map(len, fields)) + CRC_BYTES, welcome.message_bytes)
        self._streams[stream] = told.after(frame)
        self._last = own
        if number is None:
            self._next = (own + 1) % NUMBERS
        return own, [self._sealed(fields) for fields in messages]

    def cancel(self, numbers: Iterable[int]) -> bytes:
        """Nobody waits for these frames any more. Raises WireError for what are no frames' numbers."""
        return self._sealed([bytes((Kind.CANCEL,)), packed_numbers(numbers)])

    def bye(self) -> bytes:
        """The last message of a session."""
        return self._sealed([bytes((Kind.BYE,))])

    def received(self, message: Bytes) -> FromCloud:
        """What the cloud says; an answer's body is a view of the message. Raises WireError: the connection is of no more use."""
        check_limit("a message", len(message), MAX_CLOUD_BYTES)
        reader = Reader(message)
        found = self._first(reader) if self._welcome is None else _later(reader)
        reader.end()
        if isinstance(found, Welcome):
            self._welcome = found
        return found

    def _first(self, reader: Reader) -> Welcome:
        hello = self._hello
        if hello is None or reader.kind != Kind.WELCOME:
            raise WireError(
                f"a cloud's first message is its welcome to a hello, this one is of kind {reader.kind}"
            )
        found = read_welcome(reader)
        if found.resumed and (found.session != hello.session or not {*found.received} <= {*hello.unanswered}):
            raise WireError(
                "the cloud goes on with another session, or with frames that were not said to be unanswered"
            )
        if not found.resumed and found.session == hello.session:
            raise WireError("the cloud does not go on with the session, and names no other one")
        return found

    def _sealed(self, fields: Sequence[Bytes]) -> bytes:
        message, self._crc = sealed(fields, self._crc)
        return message


def _later(reader: Reader) -> FromCloud:
    if reader.kind == Kind.ANSWER:
        return read_answer(reader)
    if reader.kind == Kind.REFUSAL:
        return read_refusal(reader)
    reader.require_flags(0)
    if reader.kind == Kind.KEYFRAME:
        return KeyframeWanted(reader.number(limits.MAX_STREAMS - 1, "a stream"))
    if reader.kind == Kind.GO_AWAY:
        return GoAway(reader.text(limits.MAX_WORD_BYTES, "a reason"))
    raise WireError(f"a message of kind {reader.kind}, which no cloud sends here")
