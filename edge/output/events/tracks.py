"""Which boxes of successive frames are the same object: by class and overlap, so that what comes and goes is told once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shared.tasks.detection.candidates import overlaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.tasks.detection.boxes import Box

MAX_TRACKS = 256
"""That one camera may have at once; of more boxes those with the lowest scores are not followed."""
LEAST_OVERLAP = 0.3
"""Intersection over union with the object's last box."""


@dataclass(slots=True)
class Track:
    """One object, as it was seen last."""

    number: int
    """From 1, in the order in which they were first seen; those that were seen too few times have one too."""
    box: Box
    first_at: float
    last_at: float
    hits: int = 1
    told: bool = False
    missed_at: float | None = None
    """When the first answer after the last that showed it did not."""

    @property
    def seen_s(self) -> float:
        """From when it was first seen to when it was seen last."""
        return round(max(0.0, self.last_at - self.first_at), 3)


class Tracks:
    """One camera's. `look` at the boxes of each frame that has an answer."""

    def __init__(self, frames: int, lost_s: float) -> None:
        """An object is there once so many answers in a row have shown it, and has left once none has for so many seconds."""
        self._frames, self._lost_s = frames, lost_s
        self._tracks: list[Track] = []
        self._count = 0

    @property
    def followed(self) -> tuple[Track, ...]:
        """Every object that may come again, told or not."""
        return tuple(self._tracks)

    def look(self, boxes: Sequence[Box], at: float) -> tuple[list[Track], list[Track]]:
        """The objects that have appeared with this answer, of a frame at `at` seconds, and those that have left."""
        boxes = boxes[:MAX_TRACKS]
        if not boxes and not self._tracks:
            return [], []
        partner = self._pair(boxes)
        kept, appeared, left = [], [], []
        for row, track in enumerate(self._tracks):
            if row in partner:
                track.box, track.last_at, track.missed_at = boxes[partner[row]], at, None
                track.hits += 1
            elif not track.told:
                continue
            elif track.missed_at is None or at < track.missed_at:  # a recording may begin again
                track.missed_at = at
            elif at - track.missed_at >= self._lost_s:
                left.append(track)
                continue
            kept.append(track)
        for column in sorted(set(range(len(boxes))) - set(partner.values())):
            self._count += 1
            kept.append(Track(self._count, boxes[column], at, at))
        # Those that are there go first: what has been seen once makes room. Nobody is told of one that is not followed: its end would not be seen.
        kept.sort(key=lambda track: not track.told)
        self._tracks = kept[:MAX_TRACKS]
        for track in self._tracks:
            if not track.told and track.hits >= self._frames:
                track.told = True
                appeared.append(track)
        return appeared, left

    def _pair(self, boxes: Sequence[Box]) -> dict[int, int]:
        """By track the box that is its own, one to one: the pairs of a class that overlap most first."""
        if not boxes or not self._tracks:
            return {}
        places = np.array([each.box.corners for each in self._tracks])
        left = overlaps(places, np.array([each.corners for each in boxes]))
        classes = np.array([each.box.class_id for each in self._tracks])
        left[classes[:, None] != np.array([each.class_id for each in boxes])[None]] = 0
        rows, columns = np.nonzero(left >= LEAST_OVERLAP)
        order = np.argsort(-left[rows, columns], kind="stable")
        partner: dict[int, int] = {}
        taken = set()
        for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
            if row not in partner and column not in taken:
                partner[row] = column
                taken.add(column)
        return partner
