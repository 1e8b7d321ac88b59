"""The cloud's answer to a frame, believed only as far as it can be true: what cannot is `refused`, and the edge answers itself."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.uplink.client import parse_json, refusal_of
from shared.errors import UplinkError
from shared.limits import MAX_ANSWER_STEPS
from shared.security.escape import shown
from shared.wire.frame import heading
from shared.wire.http import ANSWER_STEPS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.uplink.asking.question import Question
    from shared.tasks.base import Answer

LONG_BYTES = 64 << 10
"""An answer that is longer is read on a thread."""
_NUMBERS = (int, float)
"""What JSON's numbers are read as; `bool` is an `int` of Python's only."""


class UntrueError(UplinkError):
    """An answer came, and it cannot be true."""

    def __init__(self, text: str) -> None:
        super().__init__("refused", text)


@dataclass(frozen=True, slots=True)
class Reply:
    """The cloud's answer to one frame."""

    answer: Answer
    steps_ms: Mapping[str, float]
    """What each of the cloud's own steps took, in milliseconds; none that is not of ANSWER_STEPS."""
    received: tuple[float, float] | None = None
    """Bytes of the frame that came in after its first piece, and the seconds in which they did; None if not said."""
    fingerprint: object = None
    """The cloud's current network, which need not be the frame's; not checked, and None from a cloud up to 0.5.0."""
    cloud: str | None = None
    """The id of the cloud that answered; None from one up to 0.10.0."""
    address: str | None = None
    """Its address as the edge was given it, without anything secret."""


async def reply_of(
    status: int, body: bytes, frame: bytes, question: Question, cloud: str | None = None
) -> Reply:
    """`read_reply`, on a thread if it takes long: a class map has tens of thousands of numbers, and every one is checked."""
    if len(body) > LONG_BYTES:
        return await asyncio.to_thread(read_reply, status, body, frame, question, cloud)
    return read_reply(status, body, frame, question, cloud)


def read_reply(status: int, body: bytes, frame: bytes, question: Question, cloud: str | None = None) -> Reply:
    """The answer to `frame`, checked to the last value, as records are made of it. `cloud`: the id of the one that gave it.

    Raises UplinkError if it is a refusal, ProxyError if it is a proxy's, UntrueError if it is no answer to this frame, or none of this
    task.
    """
    if status != 200:
        raise refusal_of(status, body, cloud)
    fields, task = parse_json(body), question.task
    if fields.get("task", task.name) != task.name:
        raise UntrueError(
            f"the answer is of the task {shown(fields['task'], 80)}, the network's is {task.name}"
        )
    try:
        _require_own(fields, frame)
        longest_ms = question.longest_ms
        steps_ms = checked_steps(fields["stages_ms"], longest_ms)
        received = _received(fields.get("received"), len(frame), longest_ms)
        return Reply(task.parse(fields), steps_ms, received, fields.get("fingerprint"), cloud)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        raise UntrueError("the answer is not one of a SplitDNN cloud") from None


def _require_own(fields: Mapping[str, Any], frame: bytes) -> None:
    """Raise UntrueError for the answer to another frame: a proxy, or the cloud, has mixed up two requests."""
    frame_id, split_point = heading(frame)
    found = fields["frame_id"]
    if type(found) is not int or found != frame_id:
        raise UntrueError("the answer is to another frame than the one that was sent")
    if fields["split_point"] != split_point:
        raise UntrueError(
            f"the answer is of the split point {shown(fields['split_point'], 80)}, the frame is of {split_point}"
        )


def checked_steps(said: Mapping[str, Any], longest_ms: float) -> dict[str, float]:
    """Those that are known: a later cloud may have more, though not any number. Raises ValueError for times that cannot be."""
    if len(said) > MAX_ANSWER_STEPS:
        raise ValueError(f"{len(said)} steps")
    found = {name: _number(ms, longest_ms) for name, ms in said.items()}
    return {name: ms for name, ms in found.items() if name in ANSWER_STEPS}


def computing_s_of(steps_ms: Mapping[str, float]) -> float | None:
    """What the cloud took once the frame was there, as receiving it took the link's time; None if it says nothing of its steps."""
    return sum(ms for step, ms in steps_ms.items() if step != "receive") / 1e3 if steps_ms else None


def _received(said: Any, size: int, longest_ms: float) -> tuple[float, float] | None:
    return None if said is None else (_number(said["bytes"], size), _number(said["ms"], longest_ms) / 1e3)


def _number(value: Any, most: float) -> float:
    if type(value) not in _NUMBERS or not 0 <= value <= most:
        raise ValueError
    return float(value)
