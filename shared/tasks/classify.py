"""From logits to what a user reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class TopClass(TypedDict):
    """One of the most probable classes."""

    class_id: int
    label: str
    probability: float


def top_classes(logits: NDArray[np.float32], labels: Sequence[str], count: int) -> list[TopClass]:
    """The `count` most probable classes of logits (K,), by softmax, most probable first; equals in class order."""
    exponentials = np.exp(logits.astype(np.float64) - float(logits.max()))
    probabilities = exponentials / exponentials.sum()
    ranked = np.argsort(-logits, kind="stable")[:count]
    return [
        {"class_id": int(index), "label": labels[index], "probability": round(float(probabilities[index]), 6)}
        for index in ranked
    ]
