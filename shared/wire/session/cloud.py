"""The cloud's side of one connection of a session, without input and output.

Every connection has an object of its own. What it makes may be sent in any order, or not at all, but for the welcome, which comes first.
For one thread at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared import limits
from shared.errors import WireError
from shared.wire.checks import check_limit
from shared.wire.session import varint
from shared.wire.session.answers import packed_answer, packed_refusal
from shared.wire.session.fields import Reader, packed_text, sealed
from shared.wire.session.frames import Told, read_number, read_rest, read_start
from shared.wire.session.greetings import packed_welcome, read_hello
from shared.wire.session.kinds import DEADLINE, TIMINGS, Kind
from shared.wire.session.messages import NUMBERS, Arrived, Bye, Cancel, Hello, Refused
from shared.wire.session.streams import read_stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.errors import RequestError
    from shared.wire.frame import Bytes
    from shared.wire.session.messages import Answered, FromEdge, Welcome


class FrameError(WireError):
    """One frame of a session cannot be read; those after it can."""

    def __init__(self, number: int, cause: WireError) -> None:
        super().__init__(str(cause), accepted=cause.accepted)
        self.number = number


class CloudConnection:
    """Reads the messages of the edge, and makes those of the cloud."""

    def __init__(self, *, streams: int, message_bytes: int) -> None:
        """How many streams there may be, and how long a message may be: what the welcome says."""
        self._most_streams = min(streams, limits.MAX_STREAMS)
        self._message_bytes = message_bytes
        self._hello: Hello | None = None
        self._welcomed = self._ended = False
        self._last = NUMBERS - 1
        self._streams: dict[int, Told] = {}
        self._crc = 0

    def received(self, message: Bytes) -> FromEdge | None:
        """What the edge says, None for what is only said about a stream; a frame's payloads are views of the message.

        Raises FrameError if one frame is to be refused, any other WireError if the connection is of no more use: then nothing that comes
        over it later can be read.
        """
        if self._ended:
            raise WireError("a message after the last one of its connection")
        try:
            check_limit("a message", len(message), self._message_bytes)
            reader = Reader(message, self._crc)
            self._crc = reader.crc
            return self._read(reader, self._hello)
        except FrameError:
            raise
        except WireError:
            self._ended = True
            raise

    def welcome(self, welcome: Welcome) -> bytes:
        """The first message: before it is made, the edge may not speak of streams. Raises WireError for what does not fit its fields."""
        message = _sealed(packed_welcome(welcome))
        self._welcomed = True
        return message

    def answer(self, answer: Answered) -> bytes:
        """The answer to a frame. Raises LimitError for one that no edge would read."""
        return _sealed(packed_answer(answer))

    def refusal(self, number: int, error: RequestError) -> bytes:
        """Why a frame is not answered; a text that is too long is cut."""
        retry_after_s = error.retry_after_s if error.retryable else None
        refused = Refused(number, error.status, error.reason, str(error), error.accepted, retry_after_s)
        return _sealed(packed_refusal(refused))

    def keyframe(self, stream: int) -> bytes:
        """The next frame of this stream must need no other."""
        return _sealed([bytes((Kind.KEYFRAME,)), varint.packed(stream)])

    def go_away(self, reason: str) -> bytes:
        """No more frames are taken."""
        return _sealed([bytes((Kind.GO_AWAY,)), packed_text(reason, limits.MAX_WORD_BYTES, "a reason")])

    def _read(self, reader: Reader, hello: Hello | None) -> FromEdge | None:
        if hello is None:
            if reader.kind != Kind.HELLO:
                raise WireError(f"an edge's first message is its hello, this one is of kind {reader.kind}")
            self._hello = hello = read_hello(reader)
            reader.end()
            return hello
        if reader.kind in (Kind.STREAM, Kind.FRAME) and not self._welcomed:
            raise WireError(f"a message of kind {reader.kind} before the cloud's welcome")
        if reader.kind == Kind.FRAME:
            return self._frame(reader, hello)
        reader.require_flags(0)
        found: FromEdge | None = None
        if reader.kind == Kind.STREAM:
            number = self._stream_in(reader)
            self._streams[number] = Told.of(read_stream(reader), self._streams.get(number))
        elif reader.kind == Kind.CANCEL:
            found = Cancel(reader.numbers())
        elif reader.kind == Kind.BYE:
            found, self._ended = Bye(), True
        else:
            raise WireError(f"a message of kind {reader.kind}, which no edge sends here")
        reader.end()
        return found

    def _frame(self, reader: Reader, hello: Hello) -> Arrived:
        """Raises FrameError once both sides agree on what later frames are told by; other kinds of WireError before."""
        reader.require_flags(TIMINGS | DEADLINE)
        number = read_number(reader, self._last)
        stream = self._stream_in(reader)
        if (told := self._streams.get(stream)) is None:
            raise WireError(f"a frame of stream {stream}, of which nothing was said")
        told = read_start(reader, told)
        self._last, self._streams[stream] = number, told
        try:
            frame = read_rest(reader, told, hello.fingerprint, hello.deadline_ms)
        except WireError as error:
            raise FrameError(number, error) from None
        return Arrived(number, stream, frame, bool(reader.flags & TIMINGS))

    def _stream_in(self, reader: Reader) -> int:
        return reader.number(self._most_streams - 1, "a stream")


def _sealed(fields: Sequence[Bytes]) -> bytes:
    message, _ = sealed(fields)
    return message
