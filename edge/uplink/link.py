"""What the uplink can carry, measured on the frames themselves: nothing is sent to find out.

With each answer the cloud says how many of the frame's bytes came in after the first piece, and in what time: these two give the
throughput, without a round trip in it. The time that the edge measured, less the frame's transfer and the cloud's computing, is
the round trip. Frames that are on their way at once share the link, and each looks slower by what the others took of it.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.observing.counting.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Callable

SEGMENT_BYTES = 1448
"""The first segment comes with the header, and so with the round trip."""
_MIN_BYTES = 2 * SEGMENT_BYTES
"""Bytes after the first piece from which a frame is a measurement."""
_SHORTEST_S = 0.0005
"""Times shorter than this are not trusted."""
_RECENT = 32
_TELLING_BYTES = 8 * SEGMENT_BYTES
LARGER = 2.5
"""In a session a frame tells of the link if it is so many times larger than those that do not."""

START_BYTES_PER_S = 1.25e5
"""1 Mbit/s, until a frame has been measured: low, as too large a first frame would block a slow link."""
START_ROUND_TRIP_S = 0.02


@dataclass(frozen=True, slots=True)
class LinkState:
    """What is known of the link."""

    bytes_per_s: float
    round_trip_s: float
    first_bytes: int = SEGMENT_BYTES
    """The bytes of a frame whose time is a part of the round trip: of a session none."""

    def transfer_s(self, size: float) -> float:
        """Seconds that a frame of `size` bytes takes to come in after its first bytes, without the round trip."""
        return max(0.0, size - self.first_bytes) / self.bytes_per_s


@dataclass(frozen=True, slots=True)
class _Departure:
    """When a frame was sent, and whether no other was on its way then."""

    start: float
    size: int
    alone: bool


@dataclass(frozen=True, slots=True)
class _Arrival:
    """When a frame's bytes after the first piece came in, by the edge's clock."""

    begin: float
    end: float
    size: float


class Link:
    """Learns from each frame that is sent. Used from the event loop only; times in monotonic seconds."""

    cloud: str | None = None
    """Whose it is, where there are several clouds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # Slow start and a busy receiver make a link look slower than it is; nothing makes it look faster.
        self._throughput = Tracker(quantile=0.6)
        self._round_trip = Tracker(quantile=0.25)
        self._only_bounded = False
        self._first_bytes = SEGMENT_BYTES
        self._lost_in_noise = 0
        self._numbers = itertools.count()
        self._under_way: dict[int, _Departure] = {}
        self._arrivals: deque[_Arrival] = deque(maxlen=_RECENT)
        self._pending: deque[_Arrival] = deque(maxlen=_RECENT)
        self.told_at = -math.inf
        """When the throughput was last measured."""
        self.jumps = 0
        """How often the throughput has changed for certain."""
        self.is_jumping = False
        """Whether the latest measurement was far from the usual throughput; the next ones show whether it stays so."""

    @property
    def state(self) -> LinkState:
        """The estimate; a guess before the first frame."""
        return LinkState(
            self._throughput.or_else(START_BYTES_PER_S),
            self._round_trip.or_else(START_ROUND_TRIP_S),
            self._first_bytes,
        )

    @property
    def telling_bytes(self) -> float:
        """A frame of this size measures the throughput. Of requests that of any link, as a shorter one may come in all at once; of a session
        it is as large as it must be beside those that came too soon to tell.
        """
        return _TELLING_BYTES if self._first_bytes else LARGER * self._lost_in_noise

    @property
    def is_known(self) -> bool:
        """Whether the throughput was measured, rather than only bounded by a frame that came too late."""
        return self._throughput.value is not None and not self._only_bounded

    def sent(self, size: int) -> int:
        """A frame of `size` bytes is sent; returns the number that names it from here on."""
        number = next(self._numbers)
        self._under_way[number] = _Departure(self._clock(), size, not self._under_way)
        return number

    def answered(
        self,
        number: int,
        *,
        receive_s: float,
        computing_s: float,
        fresh: bool,
        received: tuple[float, float] | None = None,
    ) -> None:
        """The frame of this number was answered.

        `receive_s`: from its header to its last byte, at the cloud. `computing_s`: all that the cloud did after that.
        `fresh`: a connection was made for it, whose round trips and slow start the next frame will not have. `received`: the
        bytes that came in after its first piece, and the seconds in which they did; by default all but one segment, in
        `receive_s`.
        """
        received_bytes, received_s = received or (math.inf, receive_s)
        sent, now = self._under_way.pop(number), self._clock()
        whole_s = now - sent.start
        if self._first_bytes != SEGMENT_BYTES:  # a session's round trip is another
            self._first_bytes = SEGMENT_BYTES
            self._round_trip.reset()
        # Otherwise a clock is wrong.
        if not fresh and 0 <= receive_s <= whole_s and 0 <= computing_s <= whole_s - receive_s:
            round_trip_s = whole_s - receive_s - computing_s
            # Behind other frames it waited for the link, which is not a round trip; unless it is shorter even so.
            if sent.alone or round_trip_s < self._round_trip.or_else(math.inf):
                self._round_trip.add(round_trip_s)
            end = now - computing_s - self._round_trip.or_else(round_trip_s) / 2
            arrival = _Arrival(
                end - min(received_s, receive_s), end, min(received_bytes, max(0, sent.size - SEGMENT_BYTES))
            )
            self._arrivals.append(arrival)
            if arrival.size >= _MIN_BYTES:
                self._pending.append(arrival)
        self._learn()

    def measured(
        self, bytes_per_s: float, round_trip_s: float, *, told: bool, jumped: bool, largest: int
    ) -> None:
        """What a session's frames show (edge/uplink/session/carrying/estimate.py), the largest of which had so many bytes.

        Not `told`: it carries at least so much, and only larger frames would show more.
        """
        self._first_bytes = 0
        self._lost_in_noise = 0 if told else largest
        self._round_trip.reset(round_trip_s)
        if told or bytes_per_s > self.state.bytes_per_s:
            self.is_jumping = self._throughput.is_far(bytes_per_s)
            self._throughput.reset(bytes_per_s)
            self._only_bounded = not told
        self.told_at = self._clock() if told else self.told_at
        self.jumps += jumped

    def gave_up(self, number: int, *, at_deadline: bool = False) -> None:
        """The frame was not answered. `at_deadline`: because it took too long, not for a reason unrelated to the link.

        Then the link carries at most what would have brought this frame by now, with those that shared the link, until
        another frame shows otherwise.
        """
        all_bytes = sum(each.size for each in self._under_way.values())
        sent = self._under_way.pop(number)
        most = all_bytes / max(_SHORTEST_S, self._clock() - sent.start)
        if at_deadline and most < self.state.bytes_per_s:
            self._throughput.reset(most)
            self._only_bounded = True
        self._learn()

    def _learn(self) -> None:
        """Measure the frames that came in before any that is still under way can have begun to: their share is known."""
        half_s = self._round_trip.or_else(0.0) / 2
        begun = min((each.start for each in self._under_way.values()), default=math.inf) + half_s
        for arrival in [each for each in self._pending if each.end <= begun]:
            self._pending.remove(arrival)
            sample = self._all_bytes_during(arrival) / max(_SHORTEST_S, arrival.end - arrival.begin)
            self.is_jumping = self._throughput.is_far(sample)
            if self._only_bounded:
                self._throughput.reset(sample)
                self._only_bounded = False
            else:
                self.jumps += self._throughput.add(sample)
            self.told_at = self._clock()

    def _all_bytes_during(self, own: _Arrival) -> float:
        """Bytes of all frames that came in while this one did."""
        total = own.size
        for other in self._arrivals:
            shared_s = min(own.end, other.end) - max(own.begin, other.begin)
            if other is not own and shared_s > 0:
                total += other.size * shared_s / max(_SHORTEST_S, other.end - other.begin)
        return total
