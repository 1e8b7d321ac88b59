"""What comes back over a session for a frame: a reply that is checked to its last value, or why there is none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from edge.uplink.client import parse_json, refusal_for
from edge.uplink.reply import LONG_BYTES, Reply, UntrueError, checked_steps
from shared.errors import UplinkError
from shared.security.escape import shown
from shared.wire.session.messages import Refused

if TYPE_CHECKING:
    from edge.uplink.asking.question import Question
    from edge.uplink.session.passage import Back
    from shared.tasks.base import Answer

STATE_MISSING = "state_missing"
_KEEPING = ("busy", "late")
"""Refusals after which the cloud may still have the stream's state: if it has not, it says so."""


async def reply_from(back: Back, question: Question) -> Reply:
    """The reply to a frame. Raises UplinkError if it is refused, UntrueError for what is no answer of this task."""
    said = back.said
    if isinstance(said, Refused):
        raise refusal_from(said)
    longest_ms = question.longest_ms
    try:
        steps_ms = checked_steps(said.steps_ms, longest_ms)
        if len(said.body) > LONG_BYTES:
            answer = await asyncio.to_thread(_read, said.body, question, is_json=said.is_json)
        else:
            answer = _read(said.body, question, is_json=said.is_json)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        raise UntrueError("the answer is not one of a SplitDNN cloud") from None
    return Reply(answer, steps_ms, cloud=back.cloud or None)


def _read(body: bytes | bytearray | memoryview, question: Question, *, is_json: bool) -> Answer:
    if not is_json:
        return question.task.unpack(body)
    fields = parse_json(bytes(body))
    if fields.get("task", question.task.name) != question.task.name:
        raise ValueError
    return question.task.parse(fields)


def refusal_from(said: Refused) -> UplinkError:
    """As of an answer by HTTP with this status and reason."""
    if said.reason == STATE_MISSING:
        error = UplinkError("state", "the cloud lacks the frame before it, which it needs")
    else:
        error = refusal_for(said.status, shown(f"{said.status} {shown(said.text)}".strip()))
    error.retry_after_s = said.retry_after_s
    return error


def keeps_state(error: UplinkError) -> bool:
    """Whether the stream of a refused frame may go on as if it had been answered."""
    return error.reason in _KEEPING
