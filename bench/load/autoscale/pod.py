"""A cloud as a queue: frames wait, at most so many, and go in batches, one after another; a batch takes `run_s + frames * frame_s`.

What it leaves out: receiving and decoding beside the tails, turns between clients, frames of several split points, and that a core is
faster at one time than at another. `python -m bench autoscale --measure` says how far off that is.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """What a pod can do. The defaults are ResNet-50's at `layer3` on two cores, measured (docs/kubernetes.md)."""

    run_s: float = 0.001
    frame_s: float = 0.00665
    run_cpu_s: float = 0.0048
    """Processor seconds of a batch, and of each frame in it."""
    frame_cpu_s: float = 0.0114
    cores: float = 2.0
    """Its request, and its limit."""
    batch: int = 8
    capacity: int = 64
    deadline_s: float = 2.0
    """An edge's default."""

    @property
    def most_per_s(self) -> float:
        """Frames/s in full batches."""
        return self.batch / (self.run_s + self.batch * self.frame_s)


class Pod:
    """One cloud. Times are seconds, and may only go forward."""

    __slots__ = (
        "_running", "_service", "_waiting", "answered", "cpu_s", "late", "latency_s", "next_s", "refused", "runs", "under_way", "waited_s",
    )  # fmt: skip

    def __init__(self, service: Service, ready_s: float = 0.0) -> None:
        self._service = service
        self._waiting: deque[float] = deque()
        self._running = 0
        self.next_s = ready_s
        """When something changes without a frame that comes: a run ends, or the pod is ready."""
        self.under_way = 0
        """Frames that wait or are computed."""
        self.answered = self.late = self.refused = self.runs = 0
        self.cpu_s = self.waited_s = self.latency_s = 0.0
        """Processor seconds; and of all frames that were answered, the seconds before their run and until their answer."""

    def offer(self, now_s: float) -> None:
        """A frame has come. It is refused if the queue is full."""
        if self.next_s <= now_s:
            self.advance(now_s)
        if len(self._waiting) >= self._service.capacity:
            self.refused += 1
            return
        self._waiting.append(now_s)
        self.under_way += 1
        if self.next_s == math.inf:
            self._run(now_s)

    def queue(self, now_s: float) -> int:
        """Frames that wait."""
        self.advance(now_s)
        return len(self._waiting)

    def advance(self, now_s: float) -> None:
        """End every run that ends by now, and begin those that follow."""
        while self.next_s <= now_s < math.inf or (now_s == math.inf and self.under_way):
            self._run(self.next_s)

    def _run(self, at_s: float) -> None:
        """The run before has ended. The next one has those that wait; whoever would be answered too late is not computed."""
        service, waiting = self._service, self._waiting
        self.under_way -= self._running
        came: list[float] = []
        while waiting and len(came) < service.batch:
            due_s = waiting.popleft()
            if at_s + service.run_s + service.frame_s - due_s > service.deadline_s:
                self.late += 1
                self.under_way -= 1
            else:
                came.append(due_s)
        self._running = count = len(came)
        if not count:
            self.next_s = math.inf
            return
        self.next_s = end_s = at_s + service.run_s + count * service.frame_s
        self.runs += 1
        self.answered += count
        self.cpu_s += service.run_cpu_s + count * service.frame_cpu_s
        total_s = sum(came)
        self.waited_s += count * at_s - total_s
        self.latency_s += count * end_s - total_s
