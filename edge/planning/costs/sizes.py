"""What frames really take, learned from themselves: keyframes and others apart, and how often one is lost."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING

from shared.network.partition import INPUT
from shared.observing.counting.tracker import Tracker

if TYPE_CHECKING:
    from edge.planning.costs.option import Option

_LATEST = 50
"""Frames of streams by which losses are judged."""


class Sizes:
    """Payloads relative to the survey's, by codec, at whatever split point. Used from the event loop only."""

    def __init__(self) -> None:
        self._usual: defaultdict[str, Tracker] = defaultdict(Tracker)
        self._keyframes: defaultdict[str, Tracker] = defaultdict(Tracker)
        self._pictures: Tracker | None = None
        self._lost: deque[bool] = deque(maxlen=_LATEST)

    @property
    def usual(self) -> dict[str, float]:
        """Those of frames that are no keyframes of a stream."""
        return {codec: tracker.or_else(1.0) for codec, tracker in self._usual.items()}

    @property
    def keyframes(self) -> dict[str, float]:
        """Those of keyframes."""
        return {codec: tracker.or_else(1.0) for codec, tracker in self._keyframes.items()}

    @property
    def pictures(self) -> float:
        """Those of the codec for pictures that was used last; 1 before."""
        return self._pictures.or_else(1.0) if self._pictures else 1.0

    @property
    def loss(self) -> float:
        """Share of a stream's frames that were not answered, 0 … 1."""
        return sum(self._lost) / len(self._lost) if self._lost else 0.0

    def encoded(self, option: Option, size: int, *, keyframe: bool) -> None:
        """A frame of this option had a payload of so many bytes. `keyframe`: it needs no other."""
        if not option.codec or size <= 0:
            return
        if option.is_inter and keyframe:
            self._keyframes[option.codec].add(size / max(1.0, option.keyframe_bytes))
        else:
            self._usual[option.codec].add(size / max(1.0, option.frame_bytes))
            if option.split_point == INPUT and not option.is_inter:
                self._pictures = self._usual[option.codec]

    def sent(self, option: Option, *, lost: bool) -> None:
        """A frame of this option was answered, or lost: a stream goes on with a keyframe after one that is."""
        if option.is_inter:
            self._lost.append(lost)
