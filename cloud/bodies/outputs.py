"""What a tail gave: how much it is, and whether it can be answered with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from tornado.escape import json_encode

from cloud.access.refusals import AnswerError
from shared.limits import MAX_REPLY_BYTES

if TYPE_CHECKING:
    from shared.engines.half import Tensors


def numbers_in(outputs: Tensors) -> int:
    """How many numbers all outputs hold."""
    return sum(output.size for output in outputs)


def are_finite(outputs: Tensors) -> bool:
    """Whether none of them is NaN or infinite."""
    return all(bool(np.isfinite(output).all()) for output in outputs)


def encoded_reply(reply: dict[str, Any]) -> bytes:
    """The reply to a frame as JSON. Raises AnswerError if no edge would read all of it."""
    body = json_encode(reply).encode()
    if len(body) > MAX_REPLY_BYTES:
        raise AnswerError(
            f"the answer is {len(body)} bytes long, and no edge reads more than {MAX_REPLY_BYTES}; ask for less",
            accepted={"max_bytes": MAX_REPLY_BYTES, "by": ["?top=", "?threshold="]},
        )
    return body
