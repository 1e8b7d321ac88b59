"""One record for each frame that was answered, in order and exactly once."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.frames.way import Outcome
    from shared.tasks.base import Answer


@dataclass(frozen=True, slots=True)
class Record:
    """Everything known about one frame once it is done."""

    camera: str
    """Name of the camera."""
    source: str
    """Where the camera's frames come from, without credentials."""
    file: str | None
    """Name of the frame's file where the source is a folder."""
    frame: int
    """Number of the frame in its source, from 0; frames that were dropped, left out or could not be decoded leave gaps."""
    media_time_s: float | None
    """When the frame was by the clock of the video or stream itself, in seconds; None where there is none."""
    damaged: bool
    """Whether the decoder had to make up a part of the picture."""
    frame_id: str
    """Its number at the cloud and in the cloud's ledger: 16 hexadecimal digits."""
    time: str
    """When it was captured, UTC, ISO 8601."""
    network: str
    """Fingerprint of the network that answered, or was to: 16 hexadecimal digits, which change where another bundle is taken."""
    split_point: str
    codec: str
    payload_bytes: int
    """Encoded size of all tensors; 0 if nothing was sent."""
    latency_ms: float
    """From capture to answer."""
    stages_ms: dict[str, float]
    """Time of each step. The cloud's own steps begin with `cloud.` and are part of `send`."""
    answered_by: str
    """`cloud`, `edge`, `still` if an earlier answer was repeated, or `nobody` if the network failed on this frame."""
    cloud: str | None
    """Which cloud answered: its address, without user and password; None if none did."""
    repeats: int | None
    """Number of the frame whose answer was repeated; None if the frame was answered itself."""
    changed: float | None
    """Share of its symbols that changed since the last frame sent, 0 … 1; None if they were not compared."""
    fallback: str | None
    """Why the cloud did not answer; None if it did, or was not to be asked."""
    answer: Answer
    """Its places are in the source's picture. Empty if neither side answered."""

    def fields(self) -> dict[str, Any]:
        """The JSON object of this record: the fields above by name, the answer's own keys last."""
        return {name: getattr(self, name) for name in _OWN} | self.answer.fields()


_OWN = tuple(each.name for each in dataclasses.fields(Record) if each.name != "answer")


def record_of(outcome: Outcome, latency_s: float) -> Record:
    """What is known of a frame that was done `latency_s` after its capture."""
    encoded, origin = outcome.encoded, outcome.encoded.origin
    repeats = encoded.repeats if outcome.answered_by == "still" else None
    return Record(
        camera=origin.camera,
        source=origin.source,
        file=origin.file,
        frame=origin.number,
        media_time_s=None if origin.media_time_s is None else round(origin.media_time_s, 6),
        damaged=origin.damaged,
        frame_id=f"{origin.frame_id:016x}",
        time=datetime.fromtimestamp(origin.captured_ns / 1e9, UTC).isoformat(timespec="milliseconds"),
        network=encoded.edition.model.fingerprint.hex(),
        split_point=encoded.plan.split_point.name,
        codec=encoded.plan.label,
        payload_bytes=encoded.payload_bytes,
        latency_ms=round(1e3 * latency_s, 3),
        stages_ms=origin.watch.milliseconds(),
        answered_by=outcome.answered_by,
        cloud=outcome.cloud,
        repeats=repeats.origin.number if repeats else None,
        changed=None if encoded.changed is None else round(encoded.changed, 4),
        fallback=outcome.fallback,
        answer=outcome.answer,
    )


class Results:
    """Puts records back in order and hands each of them to every sink, as early as possible."""

    def __init__(self, sinks: Sequence[Callable[[Record], None]]) -> None:
        self._sinks = sinks
        self._next = 0
        self._early: dict[int, Record] = {}

    def accept(self, sequence: int, record: Record) -> None:
        """Take the record number `sequence`: they are counted from 0 without gaps, and each is given once."""
        self._early[sequence] = record
        while self._next in self._early:
            ready = self._early.pop(self._next)
            self._next += 1
            for sink in self._sinks:
                sink(ready)
