"""What is known of single frames on a link, and what several of them say of its rate and its length: see estimate.py."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SURE = 3
"""So many agree by chance only seldom."""
_LOW = 0.25


@dataclass(frozen=True, slots=True)
class Sample:
    """One frame, or a message of a few bytes, as this side saw it; times in monotonic seconds."""

    sent: float
    back: float | None
    """When the answer would have come, had the cloud answered at once; None if that is not known."""
    size: int
    is_alone: bool
    """Whether nothing else was under way when it was sent."""
    is_held: bool = False
    """Whether it only waited for a frame that was held up: what comes in one go after that tells nothing of the rate."""


@dataclass(frozen=True, slots=True)
class Point:
    """One sample as the two unknown quantities explain it."""

    size: int
    seconds: float
    """Without the wait for the frame before."""
    gap_s: float | None
    """Since the frame before, if this one had to wait for it."""
    is_alone: bool


def points_of(samples: Iterable[Sample], delay: float, slope: float) -> list[Point]:
    """What the samples say if the link is this long, in seconds, and takes so many seconds for a byte."""
    points, left = [], -math.inf
    for each in sorted(samples, key=lambda sample: sample.sent):
        begun = max(each.sent, left)
        if each.back is None:
            left = begun + slope * each.size
            continue
        gap_s = each.back - delay - left if left > each.sent else None
        if not each.is_held:
            points.append(Point(each.size, max(0.0, each.back - begun), gap_s, each.is_alone))
        left = max(left, each.back - delay)
    return points


def slope_of(points: Sequence[Point]) -> float | None:
    """Seconds a byte; None if the points do not tell. Each pair of them, and each that waited for the one before, counts by its bytes."""
    votes = [
        ((one.seconds - other.seconds) / (one.size - other.size), abs(one.size - other.size))
        for one, other in itertools.combinations(points, 2)
        if abs(one.size - other.size) > 0.1 * max(one.size, other.size)
    ]
    votes += [(each.gap_s / each.size, each.size) for each in points if each.gap_s is not None]
    if not votes:
        return None
    half, passed, slope = sum(weight for _, weight in votes) / 2, 0.0, 0.0
    for slope, weight in sorted(votes):  # noqa: B007 - the one at which half of the weight is passed
        passed += weight
        if passed >= half:
            break
    return slope


def delay_of(points: Sequence[Point], slope: float, before: float) -> float:
    """Only frames that had the link to themselves show that it is longer, and one may falter; any that did not wait may show that it is shorter."""
    alone = [max(0.0, each.seconds - slope * each.size) for each in points if each.is_alone]
    others = [max(0.0, each.seconds - slope * each.size) for each in points if each.gap_s is None]
    usual = quantile(others, _LOW) if others else before
    if not alone:
        return min(before, usual)
    found = quantile(alone, _LOW)
    return found if len(alone) >= SURE else min(found, max(before, usual))


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share of them lies, 0 … 1."""
    ordered = sorted(values)
    return ordered[int(share * (len(ordered) - 1))]
