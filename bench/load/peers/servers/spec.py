"""What a server is told to do, as JSON on its command line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Spec:
    """The same for every server."""

    model: str
    """An OpenVINO file: one input (B, …), float32 or symbols of one byte, and one output (B, K)."""
    port: int
    other_port: int
    """For a server that opens a second one."""
    third_port: int
    threads: int
    precision: str
    """`f32`, `bf16` or `f16`, as OpenVINO names it."""
    max_batch: int
    wait_s: float
    """How long a batch waits for company, where the server batches."""
    gridded: bool
    """Whether a float32 crossing travels as bytes, with the lowest value and the step before it."""
    folder: str
    """For files that a server wants: its own, and empty."""

    def text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Spec:
        """Raises ValueError and TypeError for what `text` did not write."""
        return cls(**json.loads(text))
