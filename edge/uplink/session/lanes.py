"""The streams of one connection: their numbers, and that no frame is sent which needs one that was not."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from edge.uplink.session.stream import Part


@dataclass
class _Lane:
    number: int
    part: Part | None = None
    """That of the latest frame that was sent."""


class Lanes:
    """Those of one connection. Of more streams than the cloud takes, the one that was used last before the others gives up its number."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lanes: OrderedDict[Hashable, _Lane] = OrderedDict()

    def may_send(self, key: Hashable, part: Part | None) -> bool:
        """Whether the frame needs none before it, or the one before it in its stream was sent over this connection."""
        if part is None or part.is_keyframe:
            return True
        lane = self._lanes.get(key)
        return lane is not None and lane.part is not None and lane.part.sequence == part.sequence - 1

    def number_of(self, key: Hashable) -> int:
        """The number of this stream from now on."""
        lane = self._lanes.get(key)
        if lane is None:
            number = len(self._lanes)
            if number >= self._most:
                _, oldest = self._lanes.popitem(last=False)
                number = oldest.number
                if oldest.part:
                    oldest.part.forget("lost")
            lane = self._lanes[key] = _Lane(number)
        self._lanes.move_to_end(key)
        return lane.number

    def sent(self, key: Hashable, part: Part | None) -> None:
        """A frame of this stream was sent."""
        self._lanes[key].part = part

    def wanted(self, number: int) -> Part | None:
        """The latest frame of the stream of this number: the cloud needs a keyframe after it."""
        for lane in self._lanes.values():
            if lane.number == number:
                return lane.part
        return None
