"""The rule of Kubernetes' HorizontalPodAutoscaler (autoscaling/v2, `pkg/controller/podautoscaler` of 1.31 to 1.37), as published.

Each metric asks for `ceil(pods with a value * mean / target)`, and for no change where mean / target is within a tenth of 1. Pods without a
value count as idle where that would add pods, and as on target where it would take some away. The largest wish counts; one that would take
pods away does not while any metric is missing. It is then held within what was wished lately (the least of the window for adding, the most of the
window for taking away), and within what the policies allow in their periods.

KEDA asks by an external metric instead: a total, divided by what one pod may have, and the same from there on.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

TOLERANCE = 0.1
SYNC_S = 15.0
"""The controller's default period."""


@dataclass(frozen=True)
class Reading:
    """One metric at one time: a value for each pod that has one, and how many have none."""

    values: Sequence[float]
    target: float
    """What the mean should be."""
    missing: int = 0
    """Pods that run and have no value."""
    unready: int = 0
    """Pods that are starting."""


@dataclass(frozen=True)
class Total:
    """An external metric at one time: of all pods together."""

    value: float
    target: float
    """What one pod may have."""


@dataclass(frozen=True)
class Policy:
    """At most so many pods, or such a share of them, in a period."""

    kind: Literal["Pods", "Percent"]
    value: int
    period_s: float


@dataclass(frozen=True)
class Direction:
    """How pods are added, or taken away."""

    window_s: float
    policies: tuple[Policy, ...]
    select: Literal["Max", "Min", "Disabled"] = "Max"


@dataclass(frozen=True)
class Bounds:
    """What an autoscaler may do."""

    least: int
    most: int
    up: Direction
    down: Direction


def wished(reading: Reading | Total, replicas: int) -> int:
    """What one metric asks for, of so many pods that there should be now."""
    if isinstance(reading, Total):
        ratio = reading.value / (reading.target * replicas)
        return replicas if _within(ratio) else math.ceil(reading.value / reading.target)
    count = len(reading.values)
    if not count:
        return replicas
    ratio = _ratio(reading, count, 0.0)
    rising = ratio > 1
    if not reading.missing and not (reading.unready and rising):
        return replicas if _within(ratio) else math.ceil(ratio * count)
    # Starting ones are left out where pods would be taken away; missing ones count as on target there.
    others = reading.missing + (reading.unready if rising else 0)
    again = _ratio(reading, count + others, 0.0 if rising else reading.missing * reading.target)
    if _within(again) or (again > 1) != rising:
        return replicas
    wish = math.ceil(again * (count + others))
    return replicas if (wish > replicas) != rising else wish


def _ratio(reading: Reading, count: int, more: float) -> float:
    return (sum(reading.values) + more) / count / reading.target


def _within(ratio: float) -> bool:
    return abs(ratio - 1) <= TOLERANCE


class Autoscaler:
    """One HorizontalPodAutoscaler, with what it remembers."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._wishes: deque[tuple[float, int]] = deque()
        self._changes: deque[tuple[float, int]] = deque()

    def sync(self, now_s: float, replicas: int, readings: Sequence[Reading | Total | None]) -> int:
        """How many pods there should be, if there should be `replicas` up to now. None is a metric that could not be had."""
        wishes = [wished(each, replicas) for each in readings if each]
        if not wishes or (len(wishes) < len(readings) and max(wishes) < replicas):
            return replicas
        found = self._allowed(now_s, replicas, self._stabilised(now_s, replicas, max(wishes)))
        if found != replicas:
            self._changes.append((now_s, found - replicas))
        return found

    def _stabilised(self, now_s: float, replicas: int, wish: int) -> int:
        up, down = self._bounds.up.window_s, self._bounds.down.window_s
        while self._wishes and self._wishes[0][0] <= now_s - max(up, down):
            self._wishes.popleft()
        least = min([wish, *(each for at, each in self._wishes if at > now_s - up)])
        most = max([wish, *(each for at, each in self._wishes if at > now_s - down)])
        self._wishes.append((now_s, wish))
        return min(max(replicas, least), most)

    def _allowed(self, now_s: float, replicas: int, wish: int) -> int:
        bounds = self._bounds
        if wish > replicas:
            wish = min(wish, max(replicas, self._limit(now_s, replicas, bounds.up, +1)))
        elif wish < replicas:
            wish = max(wish, min(replicas, self._limit(now_s, replicas, bounds.down, -1)))
        return min(max(wish, bounds.least), bounds.most)

    def _limit(self, now_s: float, replicas: int, direction: Direction, sign: int) -> int:
        if direction.select == "Disabled" or not direction.policies:
            return replicas
        limits = []
        for policy in direction.policies:
            lately = sum(by for at, by in self._changes if at > now_s - policy.period_s)
            began = replicas - lately
            if policy.kind == "Pods":
                limits.append(began + sign * policy.value)
            else:
                share = began * (1 + sign * policy.value / 100)
                limits.append(math.ceil(share) if sign > 0 else int(share))
        furthest = max if (direction.select == "Max") == (sign > 0) else min
        return furthest(limits)
