"""The forms that a frame takes on its way through the edge; each is frozen, and made from the one before.

    Captured ─► Prepared ─► Crossed ─► Encoded ─► Outcome

A form holds what the later steps need and nothing more: a camera's picture is megabytes, and is gone once it is prepared.
A frame meets one `Edition` of the network, the one in force when it is prepared, and keeps it to the end.
"""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from edge.frames.origin import Origin, PendingAnswer
    from edge.planning.plan import Plan
    from edge.sources.base import Shot
    from edge.uplink.session.room import Room
    from edge.uplink.session.stream import Ticket
    from shared.codecs.calibrated.profile import Profile
    from shared.codecs.video.passing import Own
    from shared.network.model import Model
    from shared.tasks.base import Answer, Task

_log = logging.getLogger(__name__)

Crossing: TypeAlias = "tuple[NDArray[np.float32], ...]"
"""The tensors that cross at a split point, each (1, *shape), in its order: one, or several."""

AnsweredBy = Literal["cloud", "edge", "still", "nobody"]


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
            _log.exception("the %s step failed on %s", name, self.origin)


@dataclass(frozen=True, slots=True)
class Captured(Form):
    """As the source gave it, less what is masked or cut off."""

    picture: NDArray[np.uint8]
    """(H, W, 3) BGR."""
    own: Own | None = None
    """What the camera has coded it as; None where any of it is hidden or cut off."""


@dataclass(frozen=True, slots=True)
class Prepared(Form):
    """As the network takes it. Tensor and picture are None if preparing it failed."""

    edition: Edition
    """The one in force now, which the frame keeps."""
    tensor: NDArray[np.float32] | None
    """(1, *recipe.tensor_shape), normalised: the head's input."""
    picture: NDArray[np.uint8] | None
    """(h, w, 3) RGB, for a codec that carries pictures: of the network's size, or the camera's."""
    own: Own | None = None
    """What the camera has coded `picture` as, where it is the camera's own."""


@dataclass(frozen=True, slots=True)
class Crossed(Form):
    """After the head of the plan that was in force then, which the frame keeps from here on."""

    edition: Edition
    plan: Plan
    explores: bool
    """Whether it is sent only to measure the link; the edge answers it in any case."""
    crossing: Crossing
    """Empty if the frame could not be prepared, or the head failed on it or gave other tensors than its split point has."""
    picture: NDArray[np.uint8] | None
    """As in `Prepared`."""
    own: Own | None = None
    """As in `Prepared`."""


@dataclass(frozen=True, slots=True)
class Encoded(Form):
    """Ready to be sent, or with a reason not to."""

    edition: Edition
    plan: Plan
    explores: bool
    crossing: Crossing
    """Kept, as the edge needs it if the cloud does not answer."""
    frame: bytes | None = None
    """Packed for the wire; None if it is not to be sent."""
    payload_bytes: int = 0
    keyframe: bool = True
    """Whether the cloud can decode it without the frame before it."""
    withheld: Literal["circuit_open", "encode", "late", "budget"] | None = None
    """Why a frame of a plan that sends is not sent."""
    pending: PendingAnswer | None = None
    """Its own answer, for later frames of a still scene; None if frames are not compared."""
    repeats: PendingAnswer | None = None
    """The answer of an earlier frame, from which this one hardly differs."""
    changed: float | None = None
    """Share of its symbols that differ from those of the last frame sent, 0 … 1; None if they were not compared."""
    ticket: Ticket | None = None
    """For the uplink: its place in its stream. None where the uplink keeps no streams."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a frame."""

    encoded: Encoded
    answer: Answer
    """Its places are in the source's picture. Empty if neither side answered."""
    answered_by: AnsweredBy
    fallback: str | None = None
    """Why the cloud did not answer, one of edge/metrics.py's FALLBACKS; None if it did, or was not to be asked."""
    cloud: str | None = None
    """Which cloud answered: its address, without anything secret; None if none did."""


class Pilot(Protocol):
    """Gives each frame its plan, and is told the outcome of earlier frames."""

    def take(self) -> tuple[Plan, bool]:
        """The next frame's plan, and whether it is sent only to measure the link. Called in the order of frames, by one thread at a time."""

    def answered(self, plan: Plan, steps_ms: Mapping[str, float], cloud: str | None = None) -> None:
        """The cloud, which of several, answered a frame of this plan, waited for or not; `steps_ms` is what its own steps took."""

    def failed(self, plan: Plan, *, explored: bool) -> None:
        """The cloud did not answer a frame of this plan; `explored`: it was sent only to measure the link."""

    def delivered(self, outcome: Outcome, latency_s: float) -> None:
        """The frame is done, `latency_s` after it was captured."""

    def said(self) -> dict[str, Any]:
        """For people: the plan in force, why it is, and what others would cost at this moment; ready for JSON."""

    def retire(self) -> None:
        """Another edition is taken: frames under way may still ask for a plan, and nothing more is learned or exported."""


class Reply(Protocol):
    """As much of the cloud's reply as a frame needs; see edge/uplink/reply.py."""

    @property
    def answer(self) -> Answer:
        """Its places are in the network's input."""

    @property
    def steps_ms(self) -> Mapping[str, float]: ...
    @property
    def address(self) -> str | None: ...


class Cloud(Protocol):
    """As much of the uplink as a frame needs; see edge/uplink/uplink.py."""

    async def ask(self, frame: bytes, profile: Profile | None = None) -> Reply:
        """Raises UplinkError."""


class StreamCloud(Protocol):
    """As much of an uplink that keeps streams as a frame needs; see edge/uplink/asking/asking.py."""

    room: Room

    async def ask(self, frame: bytes, profile: Profile | None = None, ticket: Ticket | None = None) -> Reply:
        """Raises UplinkError."""


class Source(Protocol):
    """As much of a source as a running pipeline needs; see edge/sources/base.py."""

    live: bool
    name: str

    def read(self) -> Shot | None: ...
    def close(self) -> None: ...


class Preprocess(Protocol):
    """See edge/frames/preprocess.py."""

    def __call__(self, frame: NDArray[np.uint8], /) -> NDArray[np.uint8]: ...
    def outgoing(self, frame: NDArray[np.uint8], picture: NDArray[np.uint8], /) -> NDArray[np.uint8]: ...
    def is_own(self, frame: NDArray[np.uint8], outgoing: NDArray[np.uint8], /) -> bool: ...


@dataclass(frozen=True, eq=False)
class Edition:
    """One network with everything that a camera's frames need of it. A changed bundle makes another, and a frame is of one."""

    model: Model
    task: Task
    preprocess: Preprocess
    pilot: Pilot
    cloud: Cloud
    digest: str = ""
    """SHA-256 that the bundle's manifest states of itself: a bundle may change without another fingerprint."""
    streams: StreamCloud | None = None
    """The same cloud, if it keeps streams."""


class Editions:
    """The edition in force for each camera, which a frame reads once, on the thread that prepares it."""

    def __init__(self, first: Mapping[str, Edition]) -> None:
        """By camera, all of the same network."""
        self.current = first
        """Replaced on the event loop. The frames that are under way keep theirs."""

    def of(self, camera: str) -> Edition:
        """That of this camera."""
        return self.current[camera]

    @property
    def any(self) -> Edition:
        """One of them, for what they have in common: the network."""
        return next(iter(self.current.values()))
