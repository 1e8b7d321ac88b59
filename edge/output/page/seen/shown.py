"""A record as the page shows it: short, and fit to be seen. Its names come from networks, and from whoever answers for a cloud."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from shared.security.escape import escaped
from shared.tasks.detection.boxes import Boxes

if TYPE_CHECKING:
    from edge.output.results import Record

MAX_BOXES = 50
"""Boxes of one frame, the best ones; `more` says how many others there are."""
_FOUND = 5
_NAME, _HEADLINE = 60, 160
"""Characters."""


def shown(record: Record) -> dict[str, Any]:
    """Ready for JSON. `boxes` is there for a task that has some: label, score, and the corners in the camera's picture of `size`."""
    said: dict[str, Any] = {
        "frame": record.frame,
        "time": record.time,
        "answered_by": record.answered_by,
        "cloud": record.cloud,
        "fallback": record.fallback,
        "repeats": record.repeats,
        "split_point": cut(record.split_point),
        "codec": cut(record.codec),
        "payload_bytes": record.payload_bytes,
        "latency_ms": record.latency_ms,
        "damaged": record.damaged,
    }
    try:
        return said | _answer(record)
    except Exception:  # noqa: BLE001 - a task of another package may do what it likes
        return said | {"headline": "(this answer cannot be shown)", "findings": []}


def cut(text: str, most: int = _NAME) -> str:
    """One line of at most so many characters, of which none acts."""
    text = escaped(text[: 4 * most])
    return text if len(text) <= most else text[: most - 1] + "…"


def finite(value: float) -> float | None:
    """JSON has no other numbers."""
    return value if math.isfinite(value) else None


def _answer(record: Record) -> dict[str, Any]:
    answer = record.answer
    said: dict[str, Any] = {
        "headline": cut(answer.headline(), _HEADLINE),
        "findings": [
            [cut(name), finite(float(probability))] for name, probability in answer.findings()[:_FOUND]
        ],
    }
    if isinstance(answer, Boxes) and answer.size:
        said["size"] = [int(side) for side in answer.size]
        said["boxes"] = [
            [cut(each.label), *(finite(float(number)) for number in (each.score, *each.corners))]
            for each in answer.boxes[:MAX_BOXES]
        ]
        said["more"] = int(answer.more) + max(0, len(answer.boxes) - MAX_BOXES)
    return said
