"""The forms that a frame takes on its way through the edge; each is frozen, and made from the one before.

    Captured ─► Prepared ─► Crossed ─► Encoded ─► Outcome

A form holds what the later steps need and nothing more: a camera's picture is megabytes, and is gone once it is prepared.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from edge.planning.plan import Plan
    from shared.observing.telemetry import Stopwatch
    from shared.tasks.base import Answer

_log = logging.getLogger(__name__)

Crossing: TypeAlias = "tuple[NDArray[np.float32], ...]"
"""The tensors that cross at a split point, each (1, *shape); today there is one."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Identifies a frame; the same object stays with it to the end."""

    number: int
    """In its source, from 0."""
    frame_id: int
    """64 bits, different for each frame of all runs and edges."""
    captured_s: float
    """When it was captured, in monotonic seconds."""
    captured_ns: int
    """The same in nanoseconds since 1970."""
    watch: Stopwatch
    """The time of each step so far; later steps add theirs."""


class PendingAnswer:
    """The cloud's answer to a frame that is sent, for the frames that repeat it as well."""

    def __init__(self, origin: Origin) -> None:
        """`origin` is the frame that is sent."""
        self.origin = origin
        self.lost = False
        """Whether it is known that the cloud did not answer."""
        self._settled = asyncio.Event()  # bound to no event loop until a task waits for it
        self._answer: Answer | None = None
        self._reason: str | None = None

    def settle(self, answer: Answer | None, reason: str | None) -> None:
        """On the event loop: the answer, or why there is none (one of edge/metrics.py's FALLBACKS)."""
        self._answer = answer
        self._reason = reason
        self.lost = answer is None
        self._settled.set()

    async def wait(self, patience_s: float) -> tuple[Answer | None, str | None]:
        """The answer, at most `patience_s` later; None and the reason, `late` included, if there is none by then."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), patience_s)
        return self._answer, (self._reason or "late") if self._answer is None else None


@dataclass(frozen=True, slots=True)
class Form:
    """What all forms of a frame have."""

    origin: Origin
    queued_s: float = field(default_factory=time.monotonic, kw_only=True)
    """When it began to wait for its next step, in monotonic seconds."""

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """The block works on the frame, which has waited until now.

        An exception is logged, and this frame goes on without the block's result; later steps see what is missing.
        """
        self.origin.watch.note(f"wait_{name}", time.monotonic() - self.queued_s)
        try:
            yield
        except Exception:  # noqa: BLE001 - one frame fails, the others go on
            _log.exception("the %s step failed on frame %d", name, self.origin.number)


@dataclass(frozen=True, slots=True)
class Captured(Form):
    """As the source gave it."""

    picture: NDArray[np.uint8]
    """(H, W, 3) BGR."""


@dataclass(frozen=True, slots=True)
class Prepared(Form):
    """As the network takes it. Both fields are None if preparing it failed."""

    tensor: NDArray[np.float32] | None
    """(1, 3, crop, crop), normalised: the head's input."""
    picture: NDArray[np.uint8] | None
    """(h, w, 3) RGB, for a codec that carries pictures: of the network's size, or the camera's."""


@dataclass(frozen=True, slots=True)
class Crossed(Form):
    """After the head of the plan that was in force then, which the frame keeps from here on."""

    plan: Plan
    explores: bool
    """Whether it is sent only to measure the link; the edge answers it in any case."""
    crossing: Crossing
    """Empty if the frame could not be prepared, or the head failed on it."""
    picture: NDArray[np.uint8] | None
    """As in `Prepared`."""


@dataclass(frozen=True, slots=True)
class Encoded(Form):
    """Ready to be sent, or with a reason not to."""

    plan: Plan
    explores: bool
    crossing: Crossing
    """Kept, as the edge needs it if the cloud does not answer."""
    frame: bytes | None = None
    """Packed for the wire; None if it is not to be sent."""
    payload_bytes: int = 0
    withheld: Literal["circuit_open", "encode"] | None = None
    """Why a frame of a plan that sends is not sent."""
    pending: PendingAnswer | None = None
    """Its own answer, for later frames of a still scene; None if frames are not compared."""
    repeats: PendingAnswer | None = None
    """The answer of an earlier frame, from which this one hardly differs."""
    changed: float | None = None
    """Share of its symbols that differ from those of the last frame sent, 0 … 1; None if they were not compared."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a frame."""

    encoded: Encoded
    answer: Answer
    """Empty if neither side answered."""
    answered_by: Literal["cloud", "edge", "still", "nobody"]
    fallback: str | None = None
    """Why the cloud did not answer, one of edge/metrics.py's FALLBACKS; None if it did, or was not to be asked."""


class Pilot(Protocol):
    """Gives each frame its plan, and is told the outcome of earlier frames."""

    def take(self) -> tuple[Plan, bool]:
        """The next frame's plan, and whether it is sent only to measure the link. Called from the head's thread."""

    def answered(self, plan: Plan, steps_ms: Mapping[str, float]) -> None:
        """The cloud answered a frame of this plan, waited for or not; `steps_ms` is what its own steps took."""

    def failed(self, *, explored: bool) -> None:
        """The cloud did not answer a frame; `explored`: it was sent only to measure the link."""

    def delivered(self, outcome: Outcome, latency_s: float) -> None:
        """The frame is done, `latency_s` after it was captured."""


class Source(Protocol):
    """As much of a source as a running pipeline needs; see edge/sources/base.py."""

    live: bool
    name: str

    def read(self) -> NDArray[np.uint8] | None: ...


class Preprocess(Protocol):
    """See edge/frames/preprocess.py."""

    def __call__(self, frame: NDArray[np.uint8], /) -> NDArray[np.uint8]: ...
    def outgoing(self, frame: NDArray[np.uint8], picture: NDArray[np.uint8], /) -> NDArray[np.uint8]: ...
