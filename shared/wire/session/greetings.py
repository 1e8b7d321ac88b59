"""The first message of each side, in bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared import limits
from shared.errors import WireError
from shared.wire.cloud_id import cloud_id_in
from shared.wire.session import varint
from shared.wire.session.fields import packed_numbers, packed_text
from shared.wire.session.frames import MAX_DEADLINE_MS
from shared.wire.session.kinds import GOES_ON, Kind
from shared.wire.session.messages import SESSION_BYTES, Hello, Welcome

if TYPE_CHECKING:
    from shared.wire.frame import Bytes
    from shared.wire.session.fields import Reader

_CLOUD_BYTES = 8
_MOST_MESSAGE_BYTES = (1 << 32) - 1


def packed_hello(hello: Hello) -> list[Bytes]:
    """Its fields. Raises WireError for what does not fit them."""
    if len(hello.fingerprint) != limits.FINGERPRINT_BYTES or not 0 <= hello.deadline_ms <= MAX_DEADLINE_MS:
        raise WireError(
            f"a fingerprint of {len(hello.fingerprint)} bytes, a deadline of {hello.deadline_ms} ms; accepted: "
            f"{limits.FINGERPRINT_BYTES}, 0 to {MAX_DEADLINE_MS}"
        )
    if len(hello.session) not in (0, SESSION_BYTES) or (hello.unanswered and not hello.session):
        raise WireError(
            f"a session of {len(hello.session)} bytes; accepted: {SESSION_BYTES}, or none, of which no frame is unanswered"
        )
    fields: list[Bytes] = [
        bytes((Kind.HELLO | GOES_ON * bool(hello.session),)),
        hello.fingerprint,
        varint.packed(hello.deadline_ms),
        packed_text(hello.question, limits.MAX_QUESTION_BYTES, "a question"),
    ]
    if hello.session:
        fields += [hello.session, packed_numbers(hello.unanswered)]
    return fields


def read_hello(reader: Reader) -> Hello:
    """Raises WireError."""
    reader.require_flags(GOES_ON)
    fingerprint = bytes(reader.bytes(limits.FINGERPRINT_BYTES))
    deadline_ms = reader.number(MAX_DEADLINE_MS, "a deadline in ms")
    question = reader.text(limits.MAX_QUESTION_BYTES, "a question")
    if not reader.flags:
        return Hello(fingerprint, question, deadline_ms)
    session = bytes(reader.bytes(SESSION_BYTES))
    return Hello(fingerprint, question, deadline_ms, session, reader.numbers())


def packed_welcome(welcome: Welcome) -> list[Bytes]:
    """Its fields. Raises WireError for what does not fit them."""
    if len(welcome.session) != SESSION_BYTES or cloud_id_in(welcome.cloud) is None:
        raise WireError(f"a session of {len(welcome.session)} bytes at the cloud {welcome.cloud[:80]!r}")
    if welcome.received and not welcome.resumed:
        raise WireError("frames of a session that does not go on")
    numbers = (welcome.frames, welcome.streams, welcome.message_bytes)
    _check_bounds(*numbers)
    fields: list[Bytes] = [
        bytes((Kind.WELCOME | GOES_ON * welcome.resumed,)),
        welcome.session,
        bytes.fromhex(welcome.cloud),
        *map(varint.packed, numbers),
    ]
    if welcome.resumed:
        fields.append(packed_numbers(welcome.received))
    return fields


def read_welcome(reader: Reader) -> Welcome:
    """Raises WireError."""
    reader.require_flags(GOES_ON)
    session, cloud = bytes(reader.bytes(SESSION_BYTES)), reader.bytes(_CLOUD_BYTES).hex()
    frames = reader.number(limits.MAX_UNDER_WAY, "frames under way")
    streams = reader.number(limits.MAX_STREAMS, "streams")
    message_bytes = reader.number(_MOST_MESSAGE_BYTES, "a message's bytes")
    _check_bounds(frames, streams, message_bytes)
    resumed = bool(reader.flags)
    return Welcome(
        session, cloud, frames, streams, message_bytes, resumed, reader.numbers() if resumed else ()
    )


def _check_bounds(frames: int, streams: int, message_bytes: int) -> None:
    if not (
        1 <= frames <= limits.MAX_UNDER_WAY
        and 1 <= streams <= limits.MAX_STREAMS
        and 1 <= message_bytes <= _MOST_MESSAGE_BYTES
    ):
        raise WireError(
            f"{frames} frames, {streams} streams, messages of {message_bytes} bytes; accepted: 1 to {limits.MAX_UNDER_WAY}, "
            f"{limits.MAX_STREAMS}, {_MOST_MESSAGE_BYTES}"
        )
