"""Answers and refusals, in bytes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from shared import limits
from shared.errors import WireError
from shared.wire.checks import check_limit
from shared.wire.http import ANSWER_STEPS
from shared.wire.session import varint
from shared.wire.session.fields import packed_text, require_number
from shared.wire.session.kinds import ACCEPTED, JSON, RETRY_AFTER, TIMINGS, Kind
from shared.wire.session.messages import Answered, Refused

if TYPE_CHECKING:
    from shared.wire.frame import Bytes
    from shared.wire.session.fields import Reader

NUMBER_BYTES = 2
STEPS_IN_MS = 10
"""The times of the cloud's steps are told in tenths of a millisecond."""
MAX_STEP = 1 << 32
MAX_RETRY_AFTER_S = 1 << 32
_STATUSES = range(400, 600)


def packed_answer(answer: Answered) -> list[Bytes]:
    """Its fields. Raises WireError for what does not fit them."""
    check_limit("an answer", len(answer.body), limits.MAX_REPLY_BYTES)
    present = [name in answer.steps_ms for name in ANSWER_STEPS]
    flags = JSON * answer.is_json | TIMINGS * any(present)
    fields: list[Bytes] = [bytes((Kind.ANSWER | flags,)), _packed_number(answer.number)]
    if any(present):
        fields.append(varint.packed(sum(there << place for place, there in enumerate(present))))
        fields += [
            varint.packed(min(max(0, round(answer.steps_ms[name] * STEPS_IN_MS)), MAX_STEP))
            for name in ANSWER_STEPS
            if name in answer.steps_ms
        ]
    return [*fields, answer.body]


def read_answer(reader: Reader) -> Answered:
    """Its body is a view of the message. Raises WireError."""
    reader.require_flags(JSON | TIMINGS)
    number = _read_number(reader)
    steps_ms: dict[str, float] = {}
    if reader.flags & TIMINGS:
        present = reader.number((1 << len(ANSWER_STEPS)) - 1, "a set of steps")
        if not present:
            raise WireError("an answer that says it tells steps, and tells none")
        for place, name in enumerate(ANSWER_STEPS):
            if present >> place & 1:
                steps_ms[name] = reader.number(MAX_STEP, "a step's time") / STEPS_IN_MS
    body = reader.rest()
    check_limit("an answer", len(body), limits.MAX_REPLY_BYTES)
    return Answered(number, body, bool(reader.flags & JSON), steps_ms)


def packed_refusal(refused: Refused) -> list[Bytes]:
    """Its fields; a text that is too long is cut, and what would be accepted is left out. Raises WireError for what does not fit them."""
    if refused.status not in _STATUSES:
        raise WireError(f"a refusal with the status {refused.status}")
    text = refused.text.encode(errors="replace")[: limits.MAX_REFUSAL_BYTES].decode(errors="ignore")
    accepted = "" if refused.accepted is None else _json_of(refused.accepted)
    flags = ACCEPTED * bool(accepted) | RETRY_AFTER * (refused.retry_after_s is not None)
    fields: list[Bytes] = [
        bytes((Kind.REFUSAL | flags,)),
        _packed_number(refused.number),
        varint.packed(refused.status - _STATUSES.start),
        packed_text(refused.reason, limits.MAX_WORD_BYTES, "a reason"),
        packed_text(text, limits.MAX_REFUSAL_BYTES, "a refusal"),
    ]
    if accepted:
        fields.append(packed_text(accepted, limits.MAX_REFUSAL_BYTES, "what is accepted"))
    if refused.retry_after_s is not None:
        fields.append(varint.packed(min(refused.retry_after_s, MAX_RETRY_AFTER_S)))
    return fields


def read_refusal(reader: Reader) -> Refused:
    """Raises WireError."""
    reader.require_flags(ACCEPTED | RETRY_AFTER)
    number = _read_number(reader)
    status = _STATUSES.start + reader.number(len(_STATUSES) - 1, "a status")
    reason = reader.text(limits.MAX_WORD_BYTES, "a reason")
    text = reader.text(limits.MAX_REFUSAL_BYTES, "a refusal")
    accepted = None
    if reader.flags & ACCEPTED:
        accepted = _parsed(reader.text(limits.MAX_REFUSAL_BYTES, "what is accepted"))
    retry_after_s = reader.number(MAX_RETRY_AFTER_S, "seconds") if reader.flags & RETRY_AFTER else None
    return Refused(number, status, reason, text, accepted, retry_after_s)


def _packed_number(number: int) -> bytes:
    return require_number(number).to_bytes(NUMBER_BYTES, "little")


def _read_number(reader: Reader) -> int:
    return int.from_bytes(reader.bytes(NUMBER_BYTES), "little")


def _json_of(accepted: Any) -> str:
    """Empty for what is too long, or cannot be said as JSON."""
    try:
        text = json.dumps(accepted, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError):
        return ""
    return text if len(text) <= limits.MAX_REFUSAL_BYTES else ""


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise WireError("what is accepted is not said as JSON") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number of JSON")
