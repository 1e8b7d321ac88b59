"""What identifies a frame from its capture to its answer, and the answer that later frames of a still scene wait for."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.cameras.shapes import Part
    from shared.observing.telemetry import Stopwatch
    from shared.tasks.base import Answer


@dataclass(frozen=True, slots=True)
class Origin:
    """Identifies a frame; the same object stays with it to the end."""

    number: int
    """In its source, from 0; what was dropped, left out or could not be decoded leaves a gap."""
    taken: int
    """How many frames of the camera were taken before it."""
    frame_id: int
    """64 bits, different for each frame of all runs and edges."""
    captured_s: float
    """When it was captured, in monotonic seconds."""
    captured_ns: int
    """The same in nanoseconds since 1970."""
    size: tuple[int, int]
    """(height, width) of the source's picture, to which the places in the frame's answer refer."""
    part: Part | None
    """What the network is given of that picture; None if it is all of it."""
    camera: str
    """Name of the camera."""
    source: str
    """Where the camera's frames come from, on one line, without credentials."""
    file: str | None
    """Name of the frame's file where the source is a folder."""
    media_time_s: float | None
    """When it was by the clock of the video or stream itself; None where there is none."""
    damaged: bool
    """Whether the decoder had to make up a part of it."""
    watch: Stopwatch
    """The time of each step so far; later steps add theirs."""

    def __str__(self) -> str:
        """For the log: `frame 12 of gate`."""
        return f"frame {self.number} of {self.camera}"


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
