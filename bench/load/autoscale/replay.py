"""A trace of load through an autoscaler: what it sees, when it scales, and what becomes of the frames."""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING

from bench.load.autoscale.pod import Pod
from bench.load.autoscale.rule import SYNC_S, Autoscaler, Reading, Total
from bench.load.autoscale.traces import arrivals

if TYPE_CHECKING:
    from bench.load.autoscale.manifest import Manifest
    from bench.load.autoscale.pod import Service
    from bench.load.autoscale.traces import Trace

_UNDER_WAY = attrgetter("under_way")
SCRAPE_S = 5.0
"""The interval of the PodMonitor."""
WINDOW_S = 30.0
"""What the queries average over."""


@dataclass(frozen=True)
class Moment:
    """What the autoscaler saw, and did."""

    at_s: float
    per_s: float
    """Frames that came a second, since the moment before."""
    replicas: int
    ready: int
    queue: float
    """Frames that wait, of a pod on average."""
    cores: float
    """Likewise."""
    wanted: int
    """Replicas from here on."""


@dataclass
class Outcome:
    """What came of one replay."""

    moments: list[Moment] = field(default_factory=list)
    frames: int = 0
    answered: int = 0
    late: int = 0
    """Refused, as the answer would have come after the deadline."""
    refused: int = 0
    """As the queue was full. The edge answers both kinds itself."""
    latency_s: float = 0.0
    """From coming to answer, of all that were answered, added up."""
    pod_s: float = 0.0
    """Pods times seconds, from their wish to their end."""

    @property
    def changes(self) -> list[Moment]:
        """The moments at which the autoscaler changed something."""
        return [each for each in self.moments if each.wanted != each.replicas]

    @property
    def turns(self) -> int:
        """How often it took back what it had done before: fewer pods after more, or more after fewer."""
        signs = [each.wanted > each.replicas for each in self.changes]
        return sum(one != other for one, other in itertools.pairwise(signs))


class _Member:
    """A pod with what was scraped of it."""

    def __init__(self, service: Service, ready_s: float) -> None:
        self.pod = Pod(service, ready_s)
        self.ready_s = ready_s
        self.scrapes: deque[tuple[float, int, float]] = deque(maxlen=1 + round(WINDOW_S / SCRAPE_S))
        """The time, the queue's length, processor seconds so far."""

    def scrape(self, now_s: float) -> None:
        self.scrapes.append((now_s, self.pod.queue(now_s), self.pod.cpu_s))

    def queue(self) -> float | None:
        queues = [queue for _, queue, _ in self.scrapes]
        return sum(queues) / len(queues) if queues else None

    def cores(self) -> float | None:
        if len(self.scrapes) < 2:
            return None
        (began, _, before), (ended, _, after) = self.scrapes[0], self.scrapes[-1]
        return (after - before) / (ended - began)


def replay(trace: Trace, manifest: Manifest, service: Service, start_s: float) -> Outcome:
    """Replay it. A pod takes frames `start_s` after it was wished for; each frame goes to the cloud with the fewest under way."""
    outcome = Outcome()
    autoscaler = Autoscaler(manifest.bounds)
    members = [_Member(service, 0.0) for _ in range(manifest.bounds.least)]
    gone: list[_Member] = []
    ready = list(members)
    serving = [each.pod for each in ready]
    scrape_s, sync_s, seen = SCRAPE_S, SYNC_S, 0
    for now_s in arrivals(trace):
        while min(scrape_s, sync_s) <= now_s:
            if scrape_s <= sync_s:
                for each in ready:
                    each.scrape(scrape_s)
                ready = [each for each in members if each.ready_s <= scrape_s]
                serving = [each.pod for each in ready]
                scrape_s += SCRAPE_S
                continue
            per_s, seen = (outcome.frames - seen) / SYNC_S, outcome.frames
            moment = _synced(sync_s, per_s, members, ready, manifest, autoscaler)
            outcome.moments.append(moment)
            outcome.pod_s += SYNC_S * moment.replicas
            members += [_Member(service, sync_s + start_s) for _ in range(moment.wanted - moment.replicas)]
            gone += members[moment.wanted :]  # the newest go
            del members[moment.wanted :]
            ready = [each for each in members if each.ready_s <= sync_s]
            serving = [each.pod for each in ready]
            sync_s += SYNC_S
        outcome.frames += 1
        for pod in serving:
            if pod.next_s <= now_s:
                pod.advance(now_s)
        min(serving, key=_UNDER_WAY).offer(now_s)
    for each in gone + members:
        pod = each.pod
        pod.advance(float("inf"))  # one that drains answers what it has
        outcome.answered += pod.answered
        outcome.late += pod.late
        outcome.refused += pod.refused
        outcome.latency_s += pod.latency_s
    return outcome


def _synced(
    now_s: float, per_s: float, members: list[_Member], ready: list[_Member], manifest: Manifest,
    autoscaler: Autoscaler,
) -> Moment:  # fmt: skip
    queues = [value for each in ready if (value := each.queue()) is not None]
    cores = [value for each in ready if (value := each.cores()) is not None]
    readings: list[Reading | Total] = []
    for values, target, is_resource in ((queues, manifest.queue, False), (cores, manifest.cores, True)):
        if target is None:
            continue
        without = len(members) - len(values)
        if manifest.totals:
            readings.append(Total(sum(values), target))
        elif is_resource:  # of processors a pod that is starting is not judged
            readings.append(Reading(values, target, unready=without))
        else:
            readings.append(Reading(values, target, missing=without))
    wanted = autoscaler.sync(now_s, len(members), readings)
    return Moment(now_s, per_s, len(members), len(ready), _mean(queues), _mean(cores), wanted)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
