"""Estimates the link, both machines and the source from frames and the cloud's answers, in the form the planner takes."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from edge.planning.costs.prediction import narrowest_s, unhindered_s
from edge.planning.costs.sizes import Sizes
from edge.planning.costs.tail_times import TailTimes
from edge.planning.costs.wire import OneByOne
from edge.planning.planner import Conditions
from shared.observing.counting.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.planning.costs.wire import Wire
    from edge.planning.pace import Pace
    from edge.planning.planner import Option
    from edge.uplink.clouds.typical import Typical
    from edge.uplink.link import Link

_EDGE_STEPS = ("preprocess", "head", "encode")
_CLOUD_STEPS = ("queue", "decode", "tail")
_TELLING_S = 0.003
"""A computation that is expected to be shorter does not show how fast a machine is."""
_MAX_RATIO = 100.0
"""How many times slower or faster than surveyed a machine is taken to be at most, whatever is measured."""
_AT_ONCE = 0.1
"""Share of its time on the edge for which a frame waits for the uplink at most if it is the edge that all wait for."""
_FULL = 0.5
"""Who waits for a place for less than this share of the time between two answers has not found all taken for long."""
_FORGOTTEN_AFTER = 500
"""Frames of a plan that sends nothing."""
_MOST_CROWDED = 2.0
"""More is no matter of how frames meet, and shows in other estimates."""
_OTHER_STEPS = 2
"""The edge works on so many frames at once, beside those whose heads run."""


class _Cloud:
    """What one cloud has shown."""

    def __init__(self) -> None:
        self.tail_times = TailTimes({}, {})
        self.slowdown, self.wait = Tracker(), Tracker()


class Observations:
    """What one run has shown so far. Used from the event loop only.

    Of several clouds each is kept apart, and the conditions are those of one: the cloud of `link` at that moment.
    """

    def __init__(
        self,
        link: Link | Typical,
        pace: Pace,
        *,
        in_flight: int,
        deadline_s: float,
        wire: Wire | None = None,
        allowed: Callable[[], float] = lambda: math.inf,
        queue_size: int = 2,
        heads: int = 1,
    ) -> None:
        """`wire`: how frames are carried, by default each as a request; `allowed`: what the data budget has, in bytes per second; `heads`: how
        many run at once.
        """
        self._link = link
        self._wire = wire or OneByOne()
        self._allowed = allowed
        self._queue_size = queue_size
        self._heads = heads
        self._overlap, self._crowding = Tracker(), Tracker()
        self._delivered = 0
        self._sizes = Sizes()
        self._in_flight = in_flight
        self._deadline_s = deadline_s
        self._pace = pace
        self._edge = Tracker()
        self._clouds: defaultdict[str | None, _Cloud] = defaultdict(_Cloud)
        self._latency = Tracker()

    @property
    def latency_s(self) -> float | None:
        """Usual latency under the plan in force, without waiting in the edge's own queues; None before its first frame."""
        return self._latency.value

    def new_plan(self) -> None:
        """Another plan is now in force: forget the latency of the one before."""
        self._latency.reset()
        self._delivered = 0

    def take_tail_times(self, times: TailTimes, cloud: str | None = None) -> None:
        """The cloud, which of several, takes so long for its tails."""
        self._shown_by(cloud).tail_times = times

    def conditions(self) -> Conditions:
        """The present conditions."""
        return self._conditions(self._clouds[self._link.cloud])

    def _shown_by(self, cloud: str | None) -> _Cloud:
        """A single cloud needs no name."""
        return self._clouds[None if self._link.cloud is None else cloud]

    def _conditions(self, cloud: _Cloud) -> Conditions:
        return Conditions(
            link=self._link.state,
            tails_s=cloud.tail_times.alone_s,
            batched_tails_s=cloud.tail_times.batched_s(self._in_flight),
            cloud_wait_s=cloud.wait.or_else(0.0),
            edge_slowdown=self._edge.or_else(1.0),
            cloud_slowdown=cloud.slowdown.or_else(1.0),
            sizes=self._sizes.usual,
            interval_s=self._pace.interval_s,
            in_flight=self._in_flight,
            deadline_s=self._deadline_s,
            keyframe_sizes=self._sizes.keyframes,
            picture_size=self._sizes.pictures,
            loss=self._sizes.loss,
            has_session=self._wire.has_session,
            frame_overhead_bytes=self._wire.frame_overhead_bytes,
            bytes_per_s=self._allowed(),
            edge_overlap=self._overlap.or_else(1 / self._heads),
            crowding=self._crowding.or_else(1.0),
            queue_size=self._queue_size,
            heads=self._heads,
        )

    def failed(self, option: Option | None) -> None:
        """The cloud did not answer a frame of this option."""
        if option is not None:
            self._sizes.sent(option, lost=True)

    def answered(
        self, option: Option | None, steps_ms: Mapping[str, float], cloud: str | None = None
    ) -> None:
        """The cloud, which of several, answered a frame of this option; `steps_ms` is what the cloud's steps took; empty if it does not say."""
        if option is None:
            return
        self._sizes.sent(option, lost=False)
        if not steps_ms:  # a session's answers say it now and then only
            return
        its = self._shown_by(cloud)
        now = self._conditions(its)
        wait_s, decode_s, tail_s = (steps_ms.get(name, 0.0) / 1e3 for name in _CLOUD_STEPS)
        expected_s = now.computing_s(option) / now.cloud_slowdown
        if expected_s >= _TELLING_S:
            took_s = decode_s + tail_s
            most_s = max(expected_s, self._together_s(its, option, now))
            # Up to what a batch of all that are under way takes, it may have been in one.
            its.slowdown.add(_bounded(took_s / min(max(took_s, expected_s), most_s)))
        else:  # what such a short tail takes is mostly waiting for a core
            wait_s += max(0.0, decode_s + tail_s - expected_s)
        its.wait.add(wait_s)

    def _together_s(self, its: _Cloud, option: Option, now: Conditions) -> float:
        """What the cloud takes for as many frames as are under way at once, if they come so fast that they meet there; else 0."""
        alone_s = now.computing_s(option) / now.cloud_slowdown
        if now.interval_s >= alone_s or self._in_flight <= 1:
            return 0.0
        return alone_s + its.tail_times.together_s(self._in_flight, option.split_point)

    def delivered(
        self,
        option: Option | None,
        steps_s: Mapping[str, float],
        size: int,
        latency_s: float | None,
        *,
        keyframe: bool = False,
    ) -> None:
        """A frame of this option is done: learn from the edge's own steps, and from the size of its payload in bytes.

        `latency_s` is None for a frame that went another way than the plan in force would have it. `keyframe`: whether it needs no other.
        """
        if option is None:
            return
        took_s = sum(steps_s.get(step, 0.0) for step in _EDGE_STEPS)
        expected_s = option.head_s + (option.encode_s if "encode" in steps_s else 0.0)
        if expected_s >= _TELLING_S and "head" in steps_s:
            self._edge.add(_bounded(took_s / expected_s))
        self._sizes.encoded(option, size, keyframe=keyframe)
        gap_s = 0.0 if self._pace.interval_s else self._pace.gap_s
        if gap_s and took_s and steps_s.get("wait_uplink", 0.0) < _AT_ONCE * took_s:
            self._overlap.add(min(1.0, max(1 / (self._heads + _OTHER_STEPS), gap_s / took_s)))
        if latency_s is not None:
            own_queues_s = sum(each for step, each in steps_s.items() if step.startswith("wait_"))
            self._latency.add(max(0.0, latency_s - own_queues_s))
            self._delivered += 1
            if option.is_local and self._delivered >= _FORGOTTEN_AFTER:
                self._crowding.reset()  # which is not seen while nothing travels, nor that it is over
            # Those before went out behind another plan's.
            if option.codec is not None and self._delivered > self._in_flight:
                self._crowded(option, steps_s.get("wait_uplink", 0.0), steps_s.get("send", 0.0))

    def _crowded(self, option: Option, waited_s: float, away_s: float) -> None:
        """The cloud answered a frame that had waited for a place under way, and was away so long.

        By Little's law all places together last so many times as long as one is waited for, if all are taken.
        """
        taken_s = away_s / self._in_flight
        if waited_s < _FULL * taken_s:
            return
        now = self.conditions()
        slowest_s = narrowest_s(option, now)
        if slowest_s >= max(_TELLING_S, _FULL * unhindered_s(option, now) / self._in_flight):
            self._crowding.add(min(_MOST_CROWDED, max(1.0, taken_s / slowest_s)))


def _bounded(times: float) -> float:
    return min(_MAX_RATIO, max(1 / _MAX_RATIO, times))
