"""What a session's frames tell about the link, from nothing but when each was sent, when its answer came, and how large it was.

A link that carries r bytes a second brings a frame of s bytes s / r after the frame before it has left, and its answer a round trip d
later. With the cloud's own time taken off, the answer to a frame that was sent at w comes back at

    x = max(w, x of the frame before - d) + s / r + d

Frames of different sizes (keyframes and others), and frames that waited for the one before them, give 1 / r; what is left is d. Both are
quantiles, as a frame may be held up by what is not the link. A message of a few bytes now and then (the opening, a ping) shows d alone.
A frame that nobody waits for any more is on the link all the same, and those behind it wait for it: when it left is known from a ping that
was sent after it, if that waited for it, and else reckoned.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from edge.uplink.session.carrying.samples import SURE, Point, Sample, delay_of, points_of, quantile, slope_of
from shared.observing.counting.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.uplink.link import Link

_WINDOW = 24
_PROBES = 3
_LARGE = 2.5
_WAITED = 1.25
"""A ping that took this many round trips found something before it on the link."""
_EVERY = 4
_FIT_S = 0.25
"""Answers, and time, between two fits, once there are enough of them."""
_JUMP = 1.5
_NOISE_S = 0.002
"""A difference in time that is no smaller than this is the link's, and not that of a busy processor."""
_TELLS_S = 0.008
"""What a frame must take the link to tell its rate: both sides spend a few milliseconds on one that they do not spend on a ping."""
_SAID = 8
_UNSURE = 0.5
"""By how much the latest times that the cloud said differ, relative to what a frame takes the link: if it is more, one of which it did not say tells
nothing,
"""
_FAR = 4.0
"""unless it took so many times as long as usual in all: then it is the link that has changed."""
_FASTEST = 1e9
_UNDER_WAY = 4096
_PROBED_S = 15.0


class Estimate:
    """What one session shows. Used from the event loop only; times in monotonic seconds."""

    def __init__(self, link: Link, clock: Callable[[], float]) -> None:
        """`link` is told what is found."""
        self._link = link
        self._clock = clock
        self._sent: dict[int, Sample] = {}
        self._late: dict[int, Sample] = {}
        """Frames that are not awaited any more, and may still be on the link."""
        self._samples: deque[Sample] = deque(maxlen=_WINDOW)
        self._large: deque[Sample] = deque(maxlen=_PROBES)
        self._probes: deque[Sample] = deque(maxlen=_PROBES)
        self._computing = Tracker()
        self._said: deque[float] = deque(maxlen=_SAID)
        self._left = self._fitted_at = -math.inf
        self._slower = self._faster = 0
        self._answers = 0
        self._slope = 1 / link.state.bytes_per_s
        self._delay = link.state.round_trip_s
        self._is_measured = self._doubts_probes = self._is_held = False
        self.timed_at = -math.inf
        """When the cloud last said what it took for a frame."""
        self.probed_at = -math.inf
        """When a few bytes last showed the round trip."""

    @property
    def wants_probe(self) -> bool:
        """Whether a few bytes should show the round trip: that was long ago, or the link has changed since."""
        return self._doubts_probes or self._clock() - self.probed_at > _PROBED_S

    @property
    def computing_s(self) -> float:
        """What the cloud usually takes for a frame."""
        return self._computing.or_else(0.0)

    @property
    def _is_idle(self) -> bool:
        """Whether nothing that was sent may be on the link."""
        return not (self._sent or self._late)

    def sent(self, number: int, size: int) -> None:
        """A frame of `size` bytes is given to the link."""
        self._sent[number] = Sample(self._clock(), None, size, self._is_idle)
        for frames in (self._sent, self._late):
            while len(frames) > _UNDER_WAY:
                del frames[next(iter(frames))]

    def answered(self, number: int, computing_s: float | None) -> float:
        """Its answer came; when the frame left the link, by this side's clock. `computing_s`: the cloud's own time, if it was said."""
        now = self._clock()
        sample = self._sent.pop(number, None) or self._late.pop(number, None)
        if sample is None:  # of an earlier connection
            return now
        self._pass_late(before=sample.sent)
        whole_s = now - sample.sent
        if computing_s is not None and computing_s <= whole_s:  # else a clock is wrong
            self._computing.add(computing_s)
            self._said.append(computing_s)
            self.timed_at = now
        took_s = min(whole_s, self.computing_s if computing_s is None else computing_s)
        link_s = self._slope * sample.size
        unsure_s = max(self._said) - min(self._said) if self._said and computing_s is None else 0.0
        if unsure_s > max(_TELLS_S, _UNSURE * link_s) and whole_s < _FAR * (took_s + self._delay + link_s):
            # It may have waited there, and have come back with others: when it came is not known.
            self._left = min(now, max(self._left, sample.sent) + link_s)
        else:
            self._learn(sample, now - took_s)
        return max(sample.sent, now - took_s - self._delay)

    def gave_up(self, number: int) -> None:
        """No answer is awaited any more, though the frame may still be on the link."""
        if found := self._sent.pop(number, None):
            self._late[number] = found

    def passed(self, number: int, asked: float) -> float:
        """A message of a few bytes that was sent after this frame, at the time `asked`, was answered at once: the frame has left the link.

        Returns when it had at the latest, by this side's clock.
        """
        now = self._clock()
        if now - asked > _WAITED * self._delay + _NOISE_S and (sample := self._late.pop(number, None)):
            self._pass_late(before=sample.sent)
            self._learn(sample, now)  # which the message waited for
        self._pass_late(before=asked)
        return max(asked, now - self._delay)

    def broke(self) -> None:
        """The connection broke: what was on it tells nothing."""
        self._sent.clear()
        self._late.clear()

    def probed(self, sent: float, size: int) -> None:
        """A message of a few bytes was answered at once."""
        self.probed_at = self._clock()
        if self._doubts_probes:
            self._probes.clear()
            self._doubts_probes = False
        self._probes.append(Sample(sent, self.probed_at, size, self._is_idle))
        self._fit()

    def _pass_late(self, *, before: float) -> None:
        """Something came back for what was sent at this time: what was sent earlier and given up has left the link, too."""
        for number in [number for number, sample in self._late.items() if sample.sent < before]:
            sample = self._late.pop(number)
            self._samples.append(sample)  # nobody knows when
            self._left = max(self._left, sample.sent) + self._slope * sample.size

    def _learn(self, sample: Sample, back: float) -> None:
        begun, left_s = max(sample.sent, self._left), self._slope * sample.size
        took_s, usual_s = back - begun, self._delay + left_s
        slower, faster = took_s > _JUMP * usual_s + _NOISE_S, took_s < usual_s / _JUMP - _NOISE_S
        held = self._is_held and begun > sample.sent and took_s - self._delay < left_s / _JUMP
        self._is_held = held or slower
        self._answers += 1
        self._samples.append(replace(sample, back=back, is_held=held))
        self._left = max(self._left, back - self._delay)
        jumped = not held and self._has_jumped(slower=slower, faster=faster)
        if jumped:
            while len(self._samples) > SURE:
                self._samples.popleft()
            self._large.clear()
            self._doubts_probes = True
        if sample.size > _LARGE * quantile([each.size for each in self._samples], 0.5):
            # It tells the most of the rate, and is rare: a keyframe.
            self._large.append(replace(sample, back=back, sent=begun))
        now = self._clock()
        if (
            jumped
            or self._answers < _WINDOW
            or (self._answers % _EVERY == 0 and now > self._fitted_at + _FIT_S)
        ):
            self._fitted_at = now
            self._fit(jumped=jumped)

    def _has_jumped(self, *, slower: bool, faster: bool) -> bool:
        """Whether the latest frames all took far longer, or far less long, than what is known explains."""
        self._slower = self._slower + 1 if slower else 0
        self._faster = self._faster + 1 if faster else 0
        if not self._is_measured or max(self._slower, self._faster) < SURE:
            return False
        self._slower = self._faster = 0
        return True

    def _fit(self, *, jumped: bool = False) -> None:
        delay, slope, told = self._delay, self._slope, False
        if not self._is_measured and self._probes:
            delay = min(each.back - each.sent for each in self._probes if each.back is not None)
        elif jumped or not self._is_measured:
            known = (each.back - each.sent for each in self._samples if each.back is not None)
            delay = min([delay, *known])
        for _ in range(3):
            points = points_of([*self._large, *self._samples, *self._probes], delay, slope)
            noise_s = self._noise_s(points, delay, slope)
            found = slope_of(points)
            if found is None:
                found = slope_of(
                    [*points, Point(0, delay, None, True)]
                )  # a link changes its rate rather than its length
            if found is not None:
                # What is lost in the noise shows only that the link is at least so fast.
                least = max(noise_s, _TELLS_S) / max(each.size for each in points)
                told = found >= least
                slope = max(found, 1 / _FASTEST) if told else min(slope, least)
            delay = delay_of(
                points, slope if told else 0.0, delay
            )  # a bound of the rate is none of the length
        self._delay, self._slope = delay, slope
        self._is_measured = self._is_measured or told
        largest = max((each.size for each in points), default=0)
        self._link.measured(1 / slope, delay, told=told, jumped=jumped, largest=largest)

    def _noise_s(self, points: Sequence[Point], delay: float, slope: float) -> float:
        if not self._is_measured:
            return _NOISE_S
        return max(
            _NOISE_S, quantile([abs(each.seconds - delay - slope * each.size) for each in points], 0.5)
        )
