"""What is carried from step to step in edge/pipeline.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shared.telemetry import Stopwatch


@dataclass(slots=True)
class Job:
    """One frame on its way."""

    number: int
    captured: float  # monotonic seconds
    captured_ns: int  # since 1970
    watch: Stopwatch
    picture: NDArray[np.uint8] | None  # (H, W, 3) BGR of the camera; prepared: RGB, to be sent; encoded: None
    sequence: int = 0
    crossing: NDArray[np.float32] | None = None  # (1, *shape): the tail needs it if the cloud does not answer
    frame: bytes | None = None
    payload_bytes: int = 0
    queued: float = 0.0  # monotonic seconds: since then it waits for its next step
    tensor: NDArray[np.float32] | None = None  # (1, 3, crop, crop): what the head takes
    fallback: str | None = None
