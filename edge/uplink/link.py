"""What the uplink can carry, read off the transfers themselves: nothing is sent to find out.

The cloud says with each answer how many of the frame's bytes came in after the first piece, and in which time: these two are the
throughput, without a round trip in it. What is left of the edge's own time, after the frame's way in and the cloud's computing,
is the round trip. Several frames on their way at once share the link, and each is seen slower by what the others took of it.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.uplink.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Callable

SEGMENT_BYTES = 1448
"""They come together with the header, and so with the round trip."""
TELLING_BYTES = 8 * SEGMENT_BYTES
"""A frame of so many tells the throughput of any link; a shorter one may come in at once."""
_MIN_BYTES = 2 * SEGMENT_BYTES
"""After the first piece, for a measurement."""
_SHORTEST_S = 0.0005
"""A clock, and whoever reads it, is not more precise than this."""
_RECENT = 32

START_BYTES_PER_S = 1.25e5
"""1 Mbit/s, until the first frame tells: who begins with too large a frame on a thin link waits for it."""
START_ROUND_TRIP_S = 0.02


@dataclass(frozen=True, slots=True)
class LinkState:
    """The link as far as it is known."""

    bytes_per_s: float
    round_trip_s: float

    def transfer_s(self, size: float) -> float:
        """How long a frame of `size` bytes takes to come in, after its first segment; without the round trip."""
        return max(0.0, size - SEGMENT_BYTES) / self.bytes_per_s


@dataclass(frozen=True, slots=True)
class _Departure:
    """When a frame was sent, and whether it had the link for itself then."""

    start: float
    size: int
    alone: bool


@dataclass(frozen=True, slots=True)
class _Arrival:
    """When a frame's bytes came in, after the first piece, on this side's clock."""

    begin: float
    end: float
    size: float


class Link:
    """Learns from each frame that is sent. From the event loop only; times in monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # Slow start and a busy receiver make a link look slower than it is, and nothing makes it look faster.
        self._throughput = Tracker(quantile=0.6)
        self._round_trip = Tracker(quantile=0.25)
        self._only_bounded = False
        self._numbers = itertools.count()
        self._under_way: dict[int, _Departure] = {}
        self._arrivals: deque[_Arrival] = deque(maxlen=_RECENT)
        self._pending: deque[_Arrival] = deque(maxlen=_RECENT)
        self.told_at = -math.inf
        """When a frame last told the throughput."""
        self.jumps = 0
        """How often the throughput has changed for certain."""
        self.is_jumping = False
        """Whether the latest frame told a throughput far from the usual one: the next ones will say if it stays."""

    @property
    def state(self) -> LinkState:
        """The estimate; before the first frame a guess."""
        return LinkState(
            self._throughput.or_else(START_BYTES_PER_S), self._round_trip.or_else(START_ROUND_TRIP_S)
        )

    @property
    def is_known(self) -> bool:
        """Whether the throughput was measured, and not only bounded by a frame that came too late."""
        return self._throughput.value is not None and not self._only_bounded

    def sent(self, size: int) -> int:
        """A frame of so many bytes goes on its way; the number names it from here on."""
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
        """Its answer is here.

        `receive_s`: from its header to its last byte, on the cloud; `computing_s`: all the cloud did after that; `fresh`: a
        connection was made for it, whose round trips and slow start are not the next frame's; `received`: the bytes that came
        in after its first piece, and the seconds in which they did; by default all but a segment, in `receive_s`.
        """
        received_bytes, received_s = received or (math.inf, receive_s)
        sent, now = self._under_way.pop(number), self._clock()
        whole_s = now - sent.start
        # Else a clock went astray.
        if not fresh and 0 <= receive_s <= whole_s and 0 <= computing_s <= whole_s - receive_s:
            round_trip_s = whole_s - receive_s - computing_s
            # Behind others it waited for the link, and that is no round trip; unless it is shorter all the same.
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

    def gave_up(self, number: int, *, at_deadline: bool = False) -> None:
        """There is no answer. `at_deadline`: as it took too long, and not for a reason that tells nothing of the link.

        The link then carries no more than what would have brought it by now, with those that share the link, until another
        frame says otherwise.
        """
        all_bytes = sum(each.size for each in self._under_way.values())
        sent = self._under_way.pop(number)
        most = all_bytes / max(_SHORTEST_S, self._clock() - sent.start)
        if at_deadline and most < self.state.bytes_per_s:
            self._throughput.reset(most)
            self._only_bounded = True
        self._learn()

    def _learn(self) -> None:
        """From the frames that came in before any that is still under way can have begun to: their share is known."""
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
        """What came in of all frames while this one did."""
        total = own.size
        for other in self._arrivals:
            shared_s = min(own.end, other.end) - max(own.begin, other.begin)
            if other is not own and shared_s > 0:
                total += other.size * shared_s / max(_SHORTEST_S, other.end - other.begin)
        return total
