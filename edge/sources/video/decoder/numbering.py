"""Which picture of the source a decoded frame is, and whether anything that it may rest on was lost."""

from __future__ import annotations

from heapq import heappop, heappush

_ANY_TIME = -(1 << 63)
_MOST_WAITING = 1024
"""Far more than any decoder holds back: a stream whose packets never give pictures must not fill the memory."""


class Numbering:
    """Counts pictures in the order in which they are shown, with those that could not be decoded.

    A decoder gives pictures in another order than it takes packets, and does not say which packet gave none. So the times of all
    packets are kept until a picture of the same or a later time came: a packet that was passed over had none. That alone is
    no damage, as some codecs have packets that are not meant to be shown; it is where something is wrong: before the first
    key frame, and from a damaged packet to the next key frame.
    """

    def __init__(self, *, joined: bool = False) -> None:
        """`joined`: the stream began earlier, so nothing is missed before the first picture that comes."""
        self._joined = joined
        self._sent = 0
        self.packet = -1
        """Which packet, from 0, the picture that came last is from."""
        self._waiting: list[
            tuple[int, int, int]
        ] = []  # the clock, when it is shown by it, which packet it was
        self._passed_over: set[tuple[int, int]] = (
            set()
        )  # when pictures would have been shown that did not come
        self._clock_sent = self._clock_shown = (
            0  # how often the clock was set back, as where recordings are joined
        )
        self._dts = _ANY_TIME
        self._next = 0
        self._refused = 0  # packets that failed and did not say when they would have been shown
        self._damage = [(-1, -1)]  # the first and the last packet that may be it
        self._begun = False  # whether a picture came
        self._starts_whole = False

    def sent(self, pts: int | None, *, dts: int | None = None, keyframe: bool) -> None:
        """A packet goes to the decoder; `pts` is when its picture is to be shown, and `dts` when decoded, in ticks."""
        if dts is not None:
            self._clock_sent += dts < self._dts
            self._dts = dts
        if not self._begun:
            self._starts_whole |= keyframe
        if pts is not None:
            if len(self._waiting) >= _MOST_WAITING:
                heappop(self._waiting)
            heappush(self._waiting, (self._clock_sent, pts, self._sent))
        self._sent += 1

    def went_wrong(self, *, refused_without_time: bool = False) -> None:
        """Something is damaged, most likely the packet that was sent last, for which there may be no picture.

        A decoder may complain late. So all count as decoded after the damage that were not shown before.
        """
        if len(self._damage) < _MOST_WAITING:
            last = self._sent - 1
            self._damage.append((min((packet for _, _, packet in self._waiting), default=last), last))
        self._refused += refused_without_time

    def shown(
        self, pts: int | None, *, keyframe: bool, unmarked: bool, corrupt: bool
    ) -> tuple[int, int, bool] | None:
        """A picture came: its number, how many were lost since the one before, and whether it may be wrong.

        `unmarked`: the codec does not say which pictures refer to others.

        None for one that comes after later ones, as a decoder may give them in its confusion: it was counted as lost.

        A picture that refers to a damaged one is decoded without complaint. So all are suspect that are decoded after the
        damage, until a key frame, which refers to none, is shown; pictures between that refer to both sides are suspect too.
        """
        place = None if pts is None else (self._clock_of(pts), pts)
        if place in self._passed_over:
            return None
        lost, packet = self._pass(place)
        self.packet = packet
        if not self._begun:
            self._begun = True
            keyframe |= self._starts_whole or unmarked  # some codecs mark key frames in their packets alone
            lost = 0 if self._joined else lost
        number = self._next + lost
        self._next = number + 1
        if len(self._passed_over) > _MOST_WAITING:
            self._passed_over.clear()
        if corrupt:
            self._damage.append((packet, packet))
        elif keyframe:
            self._damage = [damage for damage in self._damage if damage[1] >= packet]
            self._passed_over.clear()
        return number, lost, any(first <= packet for first, _ in self._damage)

    @property
    def packets(self) -> int:
        """How many were sent."""
        return self._sent

    def ended(self) -> int:
        """How many pictures were lost after the last one that came."""
        lost = self._refused + (len(self._waiting) if self._damage else 0)
        self._waiting, self._refused = [], 0
        self._next += lost
        return lost

    def _clock_of(self, pts: int) -> int:
        """By which clock this is the time of a picture: the oldest one by which one waits for it."""
        if self._clock_shown != self._clock_sent:
            waited_for = [clock for clock, time, _ in self._waiting if time == pts]
            self._clock_shown = min(waited_for, default=self._clock_sent)
        return self._clock_shown

    def _pass(self, place: tuple[int, int] | None) -> tuple[int, int]:
        """How many pictures should have come before this one and did not, and which packet this one's is."""
        lost, self._refused = self._refused, 0
        packet = self._sent - 1
        if place is None:
            return lost, packet
        while self._waiting and self._waiting[0][:2] < place:
            passed = heappop(self._waiting)[:2]
            if self._damage:
                lost += 1
                self._passed_over.add(passed)
        while self._waiting and self._waiting[0][:2] == place:
            packet = heappop(self._waiting)[2]
        return lost, packet
