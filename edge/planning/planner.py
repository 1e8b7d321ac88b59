"""Chooses the split point and codec: a pure function of measured conditions.

It has no clock, no socket and no state, so every decision can be tested, fuzzed and replayed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from edge.planning.costs.conditions import Conditions
from edge.planning.costs.option import Option
from edge.planning.costs.prediction import Prediction, predict

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Conditions",
    "Decision",
    "InForce",
    "Objective",
    "Option",
    "Prediction",
    "choose",
    "decide",
    "predict",
    "ranked",
]

CLEAR_GAIN = 1.5
"""A switch is worth it at any time if it gains this factor."""
SMALL_GAIN = 1.03
"""And one that gains so much, once the plan has been in force for `DWELL_S`, or while too little is known of the link."""
DWELL_S = 60.0
AS_GOOD = 1.01
SHORTEST_STAY_S = 0.5
TOLERANCE = 1.1
"""How far the plan in force may exceed the allowed latency before another is sought: the estimate is not exact."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What the user wants."""

    kind: Literal["latency", "throughput", "bytes"] = "latency"
    min_agreement: float = 0.0
    """0 … 1, as an option's `agreement`."""
    max_latency_s: float = math.inf


@dataclass(frozen=True, slots=True)
class InForce:
    """The plan in force."""

    option: Option
    since_s: float
    """How long it has been in force."""
    settled: bool
    """Whether enough is known of the link since the start, the latest trouble or the latest jump."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and the numbers behind it."""

    option: Option
    prediction: Prediction
    reason: Literal["first", "stay", "limit", "clear", "small"]
    """Why: no plan was in force; the plan stays; it misses a limit; another is clearly better; another is better."""
    gain: float
    """How many times better the best option is than the plan in force."""
    best: Option


def choose(options: Sequence[Option], now: Conditions, objective: Objective) -> Option:
    """The best of `options`, at least one; if none keeps to the limits, the one that misses them least.

    Among those that are about as good as the best, the one with the fewest bytes. Only those count that the data budget has bytes for;
    if none does, those that are nearest to it.
    """
    options = _affordable(options, now)
    predictions = [predict(option, now) for option in options]
    misses = [
        _misses(option, prediction, now, objective)
        for option, prediction in zip(options, predictions, strict=True)
    ]
    least = min(misses)
    kept = [
        (prediction.frame_bytes, _cost(prediction, objective), option)
        for option, prediction, missed in zip(options, predictions, misses, strict=True)
        if missed == least
    ]
    good_enough = AS_GOOD * min(cost for _, cost, _ in kept)
    return min((each for each in kept if each[1] <= good_enough), key=lambda each: each[:2])[2]


def decide(
    options: Sequence[Option], now: Conditions, objective: Objective, in_force: InForce | None
) -> Decision:
    """Whether to stay with the plan in force, and which option to take otherwise. `options`: at least one."""
    best = choose(options, now, objective)
    if in_force is None:
        return Decision(best, predict(best, now), "first", math.inf, best)
    current = in_force.option
    before, after = predict(current, now), predict(best, now)
    gain = _cost(before, objective) / max(_cost(after, objective), 1e-9)
    reason: Literal["stay", "limit", "clear", "small"] = "stay"
    if best != current and (in_force.since_s >= SHORTEST_STAY_S or not in_force.settled):
        missed = _misses(current, before, now, objective)
        late_or_wrong = (
            _misses(current, before, now, objective, TOLERANCE)
            and _misses(best, after, now, objective) < 0.9 * missed
        )
        excess = _excess(before, now)
        dear = excess > TOLERANCE - 1 and _excess(after, now) < 0.9 * excess
        if dear or late_or_wrong:
            reason = "limit"
        elif gain >= CLEAR_GAIN:
            reason = "clear"
        elif gain >= SMALL_GAIN and (in_force.since_s >= DWELL_S or not in_force.settled):
            reason = "small"
    if reason == "stay":
        return Decision(current, before, reason, gain, best)
    return Decision(best, after, reason, gain, best)


def ranked(
    options: Sequence[Option], now: Conditions, objective: Objective
) -> list[tuple[Option, Prediction, bool]]:
    """All of them with what they would cost, the best first, and whether each keeps to the limits."""
    found = []
    for option in options:
        prediction = predict(option, now)
        missed = _excess(prediction, now), _misses(option, prediction, now, objective)
        found.append((missed, _cost(prediction, objective), option, prediction))
    found.sort(key=lambda each: each[:2])
    return [(option, prediction, not any(missed)) for missed, _, option, prediction in found]


def _affordable(options: Sequence[Option], now: Conditions) -> Sequence[Option]:
    if math.isinf(now.bytes_per_s):
        return options
    excesses = [_excess(predict(option, now), now) for option in options]
    least = min(excesses)
    return [option for option, excess in zip(options, excesses, strict=True) if excess <= least]


def _excess(prediction: Prediction, now: Conditions) -> float:
    """By which share of it the data budget would be exceeded if frames came as fast as they can, or as fast as the source gives them."""
    if math.isinf(now.bytes_per_s) or not prediction.frame_bytes:
        return 0.0
    pace_s = max(prediction.period_s, now.interval_s, 1e-9)
    return max(0.0, prediction.frame_bytes / pace_s / max(now.bytes_per_s, 1e-9) - 1)


def _misses(
    option: Option, prediction: Prediction, now: Conditions, objective: Objective, tolerance: float = 1.0
) -> float:
    """By how much the option misses the limits; 0 if it keeps to all. Agreement weighs more than any latency."""
    limit_s = objective.max_latency_s if option.is_local else min(objective.max_latency_s, now.deadline_s)
    late = max(0.0, prediction.latency_s / (tolerance * max(limit_s, 1e-9)) - 1)
    wrong = max(0.0, objective.min_agreement - option.agreement)
    return late / (1 + late) + (1 + wrong if wrong else 0.0)


def _cost(prediction: Prediction, objective: Objective) -> float:
    if objective.kind == "latency":
        return prediction.latency_s
    return prediction.period_s if objective.kind == "throughput" else prediction.frame_bytes
