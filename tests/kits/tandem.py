"""A simulation of the edge's pipeline, its link and its cloud: bounded queues in a row, with service times drawn at random."""

from __future__ import annotations

import heapq
import itertools
import random
import statistics
from collections import deque
from dataclasses import dataclass, field

STEPS = ("preprocess", "head", "encode")
_BETWEEN = 4
"""Places between the camera's queue and the uplink, beside those of heads: edge/frames/pipeline.py."""


@dataclass(frozen=True)
class Line:
    """Mean seconds of everything that a frame passes. `spread` is the standard deviation of each, relative to its mean."""

    preprocess: float
    head: float
    encode: float
    link: float
    round_trip: float
    cloud: float
    interval: float = 0.0
    in_flight: int = 4
    queue_size: int = 2
    spread: float = 0.2
    batch_share: float = 1.0
    """What each further frame of a batch costs the cloud, relative to the first."""
    one_core: bool = True
    """Whether the edge's steps share a processor."""
    heads: int = 1
    """Heads that run at once."""


@dataclass
class Seen:
    """A frame's times."""

    captured: float
    number: int
    """Those that were dropped are counted."""
    steps: dict[str, float] = field(default_factory=dict)
    began: float = 0.0
    tail: float = 0.0
    queue: float = 0.0
    answered: float = 0.0

    @property
    def latency(self):
        """Without waiting in the edge's own queues."""
        return sum(self.steps.get(step, 0.0) for step in STEPS) + self.steps["send"]

    @property
    def age(self):
        return self.answered - self.captured


class Tandem:
    """Runs until so many frames are answered."""

    def __init__(self, line, seed=0, tell=lambda _frame: None):
        self.line, self._random, self._tell = line, random.Random(seed), tell
        self.now = 0.0
        self._order, self._numbers = itertools.count(), itertools.count()
        self._events = []
        self._lane, self._door = deque(), None
        # By step, the oldest first: [frame, work left, began]; with no work left one waits to be passed on, in its order.
        self._at = {step: [] for step in STEPS}
        self._queues = {"head": deque(), "encode": deque()}
        self._outbox, self._link, self._cloud = deque(), deque(), deque()
        self._under_way = self._in_flight = 0
        self._linking = self._computing = False
        self.done = []

    def run(self, frames):
        if self.line.interval:
            self._later(0.0, self._capture)
        while len(self.done) < frames:
            self._move()
            self._advance()
        return self.done[frames // 4 :]

    def _draw(self, mean):
        if not mean or not self.line.spread:
            return mean
        shape = 1 / self.line.spread**2
        return self._random.gammavariate(shape, mean / shape)

    def _later(self, seconds, what):
        heapq.heappush(self._events, (self.now + seconds, next(self._order), what))

    def _capture(self):
        if len(self._lane) >= self.line.queue_size:
            self._lane.popleft()
        self._lane.append(Seen(self.now, next(self._numbers)))
        self._later(self.line.interval, self._capture)

    def _advance(self):
        """To whatever happens next; the steps that work share the core."""
        active = [each for at in self._at.values() for each in at if each[1] > 0]
        rate = 1 / len(active) if active and self.line.one_core else 1.0
        step = min((each[1] / rate for each in active), default=float("inf"))
        until = min(self.now + step, self._events[0][0] if self._events else float("inf"))
        for each in active:
            each[1] = max(0.0, each[1] - (until - self.now) * rate)
            if each[1] < 1e-12:
                each[1] = 0.0
        self.now = until
        while self._events and self._events[0][0] <= self.now:
            heapq.heappop(self._events)[2]()

    def _move(self):
        while any([self._read(), self._take(), self._pass("preprocess", "head"), self._begin("head"), self._pass("head", "encode"),
                   self._begin("encode"), self._send(), self._transmit(), self._compute()]):  # fmt: skip
            pass

    def _read(self):
        if self.line.interval:
            return False
        if self._door is None:
            self._door = Seen(self.now, next(self._numbers))
        if len(self._lane) < self.line.queue_size:
            self._lane.append(self._door)
            self._door = None
            return True
        return False

    def _take(self):
        most = self.line.queue_size + _BETWEEN + self.line.heads
        if self._at["preprocess"] or not self._lane or self._under_way >= most:
            return False
        self._under_way += 1
        self._work("preprocess", self._lane.popleft())
        return True

    def _work(self, step, frame):
        self._at[step].append([frame, max(1e-9, self._draw(getattr(self.line, step))), self.now])

    def _ended(self, step):
        for frame, left, began in self._at[step]:
            if not left:
                frame.steps.setdefault(step, self.now - began)
        return bool(self._at[step]) and not self._at[step][0][1]

    def _pass(self, step, following):
        if not self._ended(step) or self._queues[following]:
            return False
        self._queues[following].append(self._at[step].pop(0)[0])
        return True

    def _begin(self, step):
        most = self.line.heads if step == "head" else 1
        if len(self._at[step]) >= most or not self._queues[step]:
            return False
        self._work(step, self._queues[step].popleft())
        return True

    def _send(self):
        if self._ended("encode"):
            self._outbox.append((self._at["encode"].pop(0)[0], self.now))
            return True
        if not self._outbox or self._in_flight >= self.line.in_flight:
            return False
        frame, ready = self._outbox.popleft()
        frame.steps["wait_uplink"] = self.now - ready
        frame.began = self.now
        self._under_way -= 1
        self._in_flight += 1
        self._link.append(frame)
        return True

    def _transmit(self):
        if self._linking or not self._link:
            return False
        self._linking, frame = True, self._link.popleft()

        def sent():
            self._linking = False
            self._later(self.line.round_trip, lambda: self._cloud.append((frame, self.now)))

        self._later(self._draw(self.line.link), sent)
        return True

    def _compute(self):
        if self._computing or not self._cloud:
            return False
        self._computing, batch = True, list(self._cloud)
        if self.line.batch_share == 1.0:
            batch = batch[:1]
        for _ in batch:
            self._cloud.popleft()
        took = self._draw(self.line.cloud * (1 + self.line.batch_share * (len(batch) - 1)))
        start = self.now

        def computed():
            self._computing = False
            for frame, arrived in batch:
                frame.queue, frame.tail = start - arrived, took
                frame.answered = self.now
                frame.steps["send"] = self.now - frame.began
                self._in_flight -= 1
                self.done.append(frame)
                self._tell(frame)

        self._later(took, computed)
        return True


def usual(frames):
    """Median latency, mean time between two answers, and median age."""
    period = (frames[-1].answered - frames[0].answered) / (len(frames) - 1)
    return (
        statistics.median(each.latency for each in frames),
        period,
        statistics.median(each.age for each in frames),
    )
