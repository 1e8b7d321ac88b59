"""Which picture of the source a decoded frame is, and whether anything that it may rest on was lost."""

from __future__ import annotations

from heapq import heappop, heappush

_MOST_WAITING = 1024
"""Far more than any decoder holds back: a stream whose packets never give pictures must not fill the memory."""
_ANY_TIME = -(1 << 63)


class Numbering:
    """Counts pictures in the order in which they are shown, with those that could not be decoded.

    A decoder gives pictures in another order than it takes packets, and does not say which packet gave none. So the times of all
    packets are kept until a picture of the same or a later time came: a packet that was passed over had none. That alone is
    no damage, as some codecs have packets that are not meant to be shown; it is where something is wrong: before the first
    key frame, and from a damaged packet to the next key frame.
    """

    def __init__(self) -> None:
        self._waiting: list[int] = []
        self._next = 0
        self._refused = 0  # packets that failed and did not say when they would have been shown
        self._damage = [_ANY_TIME]  # times; what is shown from then on may be wrong
        self._shown_last = _ANY_TIME
        self._starts_whole = False

    def sent(self, pts: int | None, *, keyframe: bool) -> None:
        """A packet goes to the decoder; `pts` is when its picture is to be shown, in ticks."""
        if not self._next:
            self._starts_whole |= keyframe
        if pts is not None:
            if len(self._waiting) >= _MOST_WAITING:
                heappop(self._waiting)
            heappush(self._waiting, pts)

    def went_wrong(self, pts: int | None, *, refused: bool) -> None:
        """The packet of the picture at `pts` is damaged; `refused`: the decoder gives nothing for it."""
        if len(self._damage) < _MOST_WAITING:
            self._damage.append(_ANY_TIME if pts is None else pts)
        self._refused += refused and pts is None

    def shown(self, pts: int | None, *, keyframe: bool, corrupt: bool) -> tuple[int, int, bool]:
        """A picture came: its number, how many were lost since the one before, and whether it may be wrong.

        A picture that refers to a damaged one is decoded without complaint. So all are suspect from the damage to the next
        key frame, which refers to none.
        """
        lost = self._passed_over(pts)
        number = self._next + lost
        keyframe |= (
            not self._next and self._starts_whole
        )  # some codecs mark key frames in their packets alone
        self._next = number + 1
        if pts is None or pts < self._shown_last:  # the clock was set back: what was before is over
            self._damage = [_ANY_TIME] if self._damage else []
        if corrupt:
            self.went_wrong(pts, refused=False)
        elif keyframe:
            self._damage = [] if pts is None else [since for since in self._damage if since >= pts]
        if pts is not None:
            self._shown_last = pts
        return number, lost, any(pts is None or since <= pts for since in self._damage)

    def ended(self) -> int:
        """How many pictures were lost after the last one that came."""
        lost = self._refused + (len(self._waiting) if self._damage else 0)
        self._waiting, self._refused = [], 0
        self._next += lost
        return lost

    def _passed_over(self, pts: int | None) -> int:
        """How many pictures should have come before this one, and did not."""
        lost, self._refused = self._refused, 0
        if pts is None:
            return lost
        while self._waiting and self._waiting[0] < pts:
            heappop(self._waiting)
            lost += bool(self._damage)
        while self._waiting and self._waiting[0] == pts:
            heappop(self._waiting)
        return lost
