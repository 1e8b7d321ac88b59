"""The class on top of an answer, by the protocol that it came by."""

from __future__ import annotations

import json
import struct

from bench.load.peers.sending.v2 import first_output

FRAMES, RAW, GRPC = "frames", "raw", "grpc"
"""Our wire format over HTTP; bare bytes over HTTP; the Open Inference Protocol over gRPC."""


def top_of(protocol: str, answer: bytes) -> int:
    """The number of the class on top. Raises ValueError for an answer that has none."""
    if protocol == FRAMES:
        try:
            return int(json.loads(answer)["top"][0]["class_id"])
        except (KeyError, IndexError, TypeError) as error:
            raise ValueError(f"an answer without classes: {answer[:80]!r}") from error
    logits = first_output(answer) if protocol == GRPC else answer
    if not logits or len(logits) % 4:
        raise ValueError(f"{len(logits)} bytes are no float32 logits")
    numbers = struct.unpack(f"<{len(logits) // 4}f", logits)
    return numbers.index(max(numbers))
