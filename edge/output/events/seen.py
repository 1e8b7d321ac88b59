"""When a classifier's top class has changed: once the new one has held, so that one that flickers tells nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.output.events.event import MAX_TOLD

if TYPE_CHECKING:
    from shared.tasks.classify import TopClass


class Seen:
    """One camera's. `look` at the top class of each frame that has an answer."""

    def __init__(self, frames: int, hold_s: float) -> None:
        """A class has held once it was on top of so many answers in a row, over so many seconds at least."""
        self._frames, self._hold_s = frames, hold_s
        self._told: TopClass | None = None
        self._candidate: TopClass | None = None
        self._count, self._since = 0, 0.0

    def look(self, top: TopClass, at: float) -> dict[str, Any] | None:
        """What to tell of a change that is certain with this answer, of a frame at `at` seconds; else None."""
        if _same(top, self._told):
            self._candidate = None
            return None
        if not _same(top, self._candidate) or at < self._since:  # a recording may begin again
            self._candidate, self._count, self._since = top, 0, at
        self._count += 1
        if self._count < self._frames or at - self._since < self._hold_s:
            return None
        before, self._told, self._candidate = self._told, top, None
        return {
            "class_id": top["class_id"],
            "label": top["label"][:MAX_TOLD],
            "score": top["probability"],
            "before": before["label"][:MAX_TOLD] if before else None,
            "held_s": round(at - self._since, 3),
        }


def _same(top: TopClass, other: TopClass | None) -> bool:
    return other is not None and top["class_id"] == other["class_id"] and top["label"] == other["label"]
