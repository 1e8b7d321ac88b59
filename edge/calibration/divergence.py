"""How far one set of answers is from another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def divergences(expected: NDArray[np.float32], found: NDArray[np.float32]) -> NDArray[np.float64]:
    """KL(softmax(expected) || softmax(found)) of each row of logits (n, K), in nats."""
    p, q = _log_softmax(expected), _log_softmax(found)
    result: NDArray[np.float64] = (np.exp(p) * (p - q)).sum(1)
    return np.maximum(result, 0.0)  # it is never negative, and rounding makes it so


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(1, keepdims=True))
    return shifted
