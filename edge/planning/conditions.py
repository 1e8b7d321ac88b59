"""What the frames tell of this machine, the cloud and the source, in the form that the planner takes."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from edge.planning.planner import Conditions
from edge.uplink.cloud_times import CloudTimes
from edge.uplink.tracker import Tracker

if TYPE_CHECKING:
    from edge.frames.job import Job
    from edge.uplink.link import Link
    from edge.uplink.reply import Reply

_EDGE_STEPS = ("preprocess", "head", "encode")
_CLOUD_STEPS = ("queue", "decode", "tail")
_TELLING_S = 0.003
"""A shorter computation tells nothing of how fast a machine is."""
_MAX_RATIO = 100.0
"""Times that a machine is taken to be slower than it said, or faster, whatever it says."""


class Observations:
    """Of one run. From the event loop only."""

    def __init__(self, link: Link, *, in_flight: int, deadline_s: float, live: bool) -> None:
        self._link = link
        self._in_flight = in_flight
        self._deadline_s = deadline_s
        self._live = live
        self.cloud_times = CloudTimes({}, {})
        self._edge, self._cloud, self._wait = Tracker(), Tracker(), Tracker()
        self._interval = Tracker()
        self._sizes: defaultdict[str, Tracker] = defaultdict(Tracker)
        self._latency = Tracker()
        self._last: tuple[int, float] | None = None

    @property
    def latency_s(self) -> float | None:
        """Usual latency under the plan in force, without waiting in the edge's own queues; None before its first frame."""
        return self._latency.value

    def new_plan(self) -> None:
        """What is measured from here on is another plan's."""
        self._latency.reset()

    def conditions(self) -> Conditions:
        """As of now."""
        return Conditions(
            link=self._link.state,
            tails_s=self.cloud_times.alone_s,
            batched_tails_s=self.cloud_times.batched_s(self._in_flight),
            cloud_wait_s=self._wait.or_else(0.0),
            edge_slowdown=self._edge.or_else(1.0),
            cloud_slowdown=self._cloud.or_else(1.0),
            sizes={codec: tracker.or_else(1.0) for codec, tracker in self._sizes.items()},
            interval_s=self._interval.or_else(0.0) if self._live else 0.0,
            in_flight=self._in_flight,
            deadline_s=self._deadline_s,
        )

    def answered(self, job: Job, reply: Reply) -> None:
        """The cloud's own steps."""
        option, now = job.plan.option, self.conditions()
        if option is None:
            return
        wait_s, decode_s, tail_s = (reply.stages_ms.get(name, 0.0) / 1e3 for name in _CLOUD_STEPS)
        expected_s = now.computing_s(option) / now.cloud_slowdown
        if expected_s >= _TELLING_S:
            self._cloud.add(min(_MAX_RATIO, max(1 / _MAX_RATIO, (decode_s + tail_s) / expected_s)))
        else:  # such a tail takes as long as it waits for a core
            wait_s += max(0.0, decode_s + tail_s - expected_s)
        self._wait.add(wait_s)

    def delivered(self, job: Job, latency_s: float, *, in_force: bool) -> None:
        """The edge's steps, the frame's size, the source's pace."""
        seconds, option = job.watch.seconds, job.plan.option
        if self._last and job.number > self._last[0]:
            self._interval.add((job.captured - self._last[1]) / (job.number - self._last[0]))
        self._last = job.number, job.captured
        if option is None:
            return
        took_s = sum(seconds.get(step, 0.0) for step in _EDGE_STEPS)
        expected_s = option.head_s + (option.encode_s if "encode" in seconds else 0.0)
        if expected_s >= _TELLING_S and "head" in seconds:
            self._edge.add(min(_MAX_RATIO, max(1 / _MAX_RATIO, took_s / expected_s)))
        if job.frame and option.codec:
            self._sizes[option.codec].add(len(job.frame) / option.frame_bytes)
        if in_force and (job.fallback is None):
            own_queues_s = sum(each for step, each in seconds.items() if step.startswith("wait_"))
            self._latency.add(max(0.0, latency_s - own_queues_s))
