"""The sink that finds in the records what has happened: classes that change, objects that appear and leave."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from edge.output.events.event import MAX_TOLD, Kind
from edge.output.events.seen import Seen
from edge.output.events.tracks import Tracks
from shared.tasks.classify import Classes
from shared.tasks.detection.boxes import Boxes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.output.events.teller import Teller
    from edge.output.events.tracks import Track
    from edge.output.results import Record

_log = logging.getLogger(__name__)


class Noticing:
    """Call it with each record, in order. A frame that nobody could answer says nothing; a still one says what it repeats."""

    def __init__(
        self,
        teller: Teller,
        cameras: Mapping[str, bool],
        *,
        frames: int,
        hold_s: float,
        lost_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`cameras` says of each whether it is live. Seconds are those of the clock, and of a recording that has a time of its own of that."""
        self._teller, self._live, self._clock = teller, cameras, clock
        self._seen = {name: Seen(frames, hold_s) for name in cameras}
        self._tracks = {name: Tracks(frames, lost_s) for name in cameras}
        self._failed = False

    def __call__(self, record: Record) -> None:
        """Tell what this one makes certain."""
        try:
            self._look(record)
        except Exception:  # noqa: BLE001 - no frame fails because of what is told of it
            if not self._failed:
                _log.exception("events: looking at frame %d of %s failed", record.frame, record.camera)
            self._failed = True

    def _look(self, record: Record) -> None:
        answer, name = record.answer, record.camera
        if record.answered_by == "nobody":
            return
        at = self._clock() if self._live[name] or record.media_time_s is None else record.media_time_s
        if isinstance(answer, Classes) and answer.top:
            change = self._seen[name].look(answer.top[0], at)
            if change:
                self._teller.tell(Kind.CLASS_CHANGED, change, record=record)
        elif isinstance(answer, Boxes) and answer.size:
            appeared, left = self._tracks[name].look(answer.boxes, at)
            for track in left:
                self._teller.tell(Kind.OBJECT_LEFT, self._told(track, answer.size), record=record)
            for track in appeared:
                self._teller.tell(Kind.OBJECT_APPEARED, self._told(track, answer.size), record=record)

    def _told(self, track: Track, size: tuple[int, int]) -> dict[str, Any]:
        return {
            "track": f"{self._teller.run}-{track.number}",
            "class_id": track.box.class_id,
            "label": track.box.label[:MAX_TOLD],
            "score": track.box.score,
            "box": list(track.box.corners),
            "size": list(size),
            "seen_s": track.seen_s,
        }
