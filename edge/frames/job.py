"""What is carried from step to step in edge/frames/pipeline.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edge.output.results import Record
from shared.tasks.classify import Classes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge.frames.stillness import Sent
    from edge.planning.plan import Plan
    from shared.observing.telemetry import Stopwatch
    from shared.tasks.classify import TopClass


@dataclass(slots=True)
class Job:
    """One frame on its way."""

    number: int
    frame_id: int  # 64 bits; those of several runs and edges differ
    captured: float  # monotonic seconds
    captured_ns: int  # since 1970
    watch: Stopwatch
    picture: NDArray[np.uint8] | None  # (H, W, 3) BGR of the camera; prepared: RGB, to be sent; encoded: None
    sequence: int = 0
    plan: Plan = field(init=False)  # from the head on
    shadow: bool = False  # whether the edge answers it, whatever the cloud says
    crossing: NDArray[np.float32] | None = None  # (1, *shape): the tail needs it if the cloud does not answer
    frame: bytes | None = None
    payload_bytes: int = 0
    queued: float = 0.0  # monotonic seconds: since then it waits for its next step
    tensor: NDArray[np.float32] | None = None  # (1, 3, crop, crop): what the head takes
    fallback: str | None = None
    sent: Sent | None = None  # itself, for those that repeat it
    repeats: Sent | None = None  # whose answer is its own as well: nothing travels
    changed: float | None = None  # share of its symbols, against the last frame sent

    def record(self, top: list[TopClass], answered_by: str, latency_s: float) -> Record:
        """What is known of it now that it is done."""
        return Record(
            frame=self.number,
            frame_id=f"{self.frame_id:016x}",
            time=datetime.fromtimestamp(self.captured_ns / 1e9, UTC).isoformat(timespec="milliseconds"),
            split_point=self.plan.split_point.name,
            codec=self.plan.label,
            payload_bytes=self.payload_bytes,
            latency_ms=round(1e3 * latency_s, 3),
            stages_ms=self.watch.milliseconds(),
            answered_by=answered_by,
            repeats=self.repeats.number if self.repeats else None,
            changed=None if self.changed is None else round(self.changed, 4),
            fallback=self.fallback,
            answer=Classes(tuple(top)),
        )
