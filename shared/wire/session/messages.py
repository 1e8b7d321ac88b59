"""What the two sides of a session say to each other, read and checked; how it looks in bytes is in shared/wire/SESSION.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.wire.frame import Bytes, Frame

SUBPROTOCOL = "splitdnn.session.1"
"""The subprotocol of the WebSocket, whose path is `/session`."""
SESSION_BYTES = 16
NUMBERS = 1 << 16
"""Frames are numbered by their sender, from 0 and modulo this, as long as the session lasts: over broken connections too."""


@dataclass(frozen=True, slots=True)
class Hello:
    """The edge's first message of every connection."""

    fingerprint: bytes
    """That of the network of the frames that follow, as in a Frame's header."""
    question: str
    """What is asked about every frame: the query of `POST /model`, such as `top=5`; may be empty."""
    deadline_ms: int
    """The deadline of every frame that does not say another."""
    session: bytes = b""
    """The session that goes on, SESSION_BYTES long; empty for a new one."""
    unanswered: tuple[int, ...] = ()
    """Numbers of frames that were sent over an earlier connection of this session, and whose answers have not come."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A frame has come."""

    number: int
    stream: int
    """Frames of one stream are decoded in order, and may need the one before."""
    frame: Frame
    """Whole, as `POST /model` would bring it; its payloads are views of the message."""
    timings: bool
    """Whether the answer is to say what the cloud's steps took."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody waits for the answers of these frames any more. What is not computed yet need not be; a stream's frame is still decoded."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bye:
    """The edge ends the session: nothing of it need be kept."""


@dataclass(frozen=True, slots=True)
class Welcome:
    """The cloud's first message of every connection."""

    session: bytes
    cloud: str
    """The cloud's id, as in the header SplitDNN-Cloud."""
    frames: int
    """How many frames may be under way at once."""
    streams: int
    """How many streams there may be."""
    message_bytes: int
    """The longest message that the cloud takes."""
    resumed: bool = False
    """Whether the session that the edge named goes on. If not, this is a new one."""
    received: tuple[int, ...] = ()
    """Those of `Hello.unanswered` that have come: their answers follow. The others are lost, and may be sent once more."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a frame."""

    number: int
    body: Bytes
    is_json: bool
    """Whether the body is the JSON object of `POST /model`'s answer without `frame_id`, `stages_ms` and `received`; otherwise it is the
    task's own binary form (`shared.tasks.base.Task.unpack`).
    """
    steps_ms: Mapping[str, float] = field(default_factory=dict)
    """What each of the cloud's steps took, by the names of ANSWER_STEPS; empty unless it was asked for."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A frame is not answered; the session goes on."""

    number: int
    status: int
    """As of HTTP."""
    reason: str
    text: str
    accepted: Any = None
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class KeyframeWanted:
    """The cloud does not have the state that frames of this stream need: the next one must need none."""

    stream: int


@dataclass(frozen=True, slots=True)
class GoAway:
    """The cloud takes no more frames in this session, and answers those that are under way: the edge opens another session."""

    reason: str
    """`drain`: it is going to stop. `rebalance`: a balancer may choose another cloud. `idle`. `replaced`: the session went on over another connection."""


FromEdge: TypeAlias = Hello | Arrived | Cancel | Bye
FromCloud: TypeAlias = Welcome | Answered | Refused | KeyframeWanted | GoAway
