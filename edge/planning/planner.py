"""Which split point and codec to take: a function of what is known, and of nothing else.

No clock, no socket, no state: what it is given is all it knows, so each decision can be tested, fuzzed and replayed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from shared.network.partition import INPUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.planning.option import Option
    from edge.uplink.link import LinkState

CLEAR_GAIN = 1.5
"""From which a switch is worth it at any time."""
SMALL_GAIN = 1.03
"""And from which it is once the plan has been in force for `DWELL_S`, or if too little has been seen of the link yet."""
DWELL_S = 60.0
AS_GOOD = 1.01
SHORTEST_STAY_S = 0.5
TOLERANCE = 1.1
"""By which the plan in force may miss the latency that is allowed before another is sought: the estimate is not exact."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What the user wants."""

    kind: Literal["latency", "throughput", "bytes"] = "latency"
    min_agreement: float = 0.0
    """Share of frames, 0 … 1."""
    max_latency_s: float = math.inf


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the planner knows of the link, the cloud and this machine at the moment."""

    link: LinkState
    tails_s: Mapping[str, float] = field(default_factory=dict)
    """The cloud's time for one frame's tail, by split point; what it has not said is taken from this machine's own."""
    batched_tails_s: Mapping[str, float] = field(default_factory=dict)
    """The same where as many frames come together as are under way at once."""
    cloud_wait_s: float = 0.0
    """In the cloud's queue."""
    edge_slowdown: float = 1.0
    """Of this machine, against when its options were timed."""
    cloud_slowdown: float = 1.0
    sizes: Mapping[str, float] = field(default_factory=dict)
    """Bytes of real frames against those of the options, by codec."""
    interval_s: float = 0.0
    """Between two frames of the source; 0 for one that waits."""
    in_flight: int = 1
    deadline_s: float = math.inf

    def computing_s(self, option: Option, *, batched: bool = False) -> float:
        """The cloud's decoding and tail. How fast it decodes follows from how fast it computes."""
        tails_s = self.batched_tails_s if batched else self.tails_s
        whole_s = self.tails_s.get(INPUT)
        here_s = option.head_s + option.tail_s
        ratio = min(1.0, whole_s / here_s) if whole_s and here_s else 1.0
        tail_s = tails_s.get(option.split_point, self.tails_s.get(option.split_point, option.tail_s))
        return (option.decode_s * ratio + tail_s) * self.cloud_slowdown


@dataclass(frozen=True, slots=True)
class Prediction:
    """What an option comes to under some conditions."""

    latency_s: float
    """Of one frame from capture to class, without waiting in the edge's own queues."""
    period_s: float
    """Between two frames, if the source gives as many as can be taken."""
    frame_bytes: float


@dataclass(frozen=True, slots=True)
class InForce:
    """The plan there is."""

    option: Option
    since_s: float
    """How long it has been in force."""
    settled: bool
    """Whether enough was seen of the link since the start, the latest trouble or the latest jump."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and the numbers behind it."""

    option: Option
    prediction: Prediction
    reason: Literal["first", "stay", "limit", "clear", "small"]
    """Why: nothing was in force; the plan stays; it misses a limit; another is clearly better; another is better."""
    gain: float
    """How many times better the best option is than the plan in force."""
    best: Option


def predict(option: Option, now: Conditions) -> Prediction:
    """The option's latency, pace and bytes."""
    edge_s = (option.head_s + option.encode_s) * now.edge_slowdown
    if option.codec is None:
        return Prediction(edge_s, edge_s, 0.0)
    size = option.frame_bytes * now.sizes.get(option.codec, 1.0)
    transfer_s = now.link.transfer_s(size)
    computing_s = now.computing_s(option)
    away_s = now.link.round_trip_s + transfer_s + now.cloud_wait_s + computing_s
    # Each of the frames on their way at once waits for what all of them wait for.
    narrowest_s = max(size / now.link.bytes_per_s, now.computing_s(option, batched=True))
    period_s = max(edge_s, narrowest_s, away_s / now.in_flight)
    # No cliff: near the limit it depends on chance how many wait.
    load = narrowest_s / max(edge_s, now.interval_s, 1e-9)
    full = min(1.0, max(0.0, (load - 0.8) / 0.4))
    away_s += full * max(0.0, now.in_flight * narrowest_s - away_s)
    return Prediction(edge_s + away_s, period_s, size)


def choose(options: Sequence[Option], now: Conditions, objective: Objective) -> Option:
    """The best option of at least one; where none keeps to the limits, the one that misses them least.

    Of those that are as good as the best, it is the one with the fewest bytes.
    """
    predictions = {option: predict(option, now) for option in options}
    misses = {option: _misses(option, predictions[option], now, objective) for option in options}
    kept = [option for option in options if misses[option] == min(misses.values())]
    costs = {option: _cost(predictions[option], objective) for option in kept}
    as_good = [option for option in kept if costs[option] <= AS_GOOD * min(costs.values())]
    return min(as_good, key=lambda option: (predictions[option].frame_bytes, costs[option]))


def decide(
    options: Sequence[Option], now: Conditions, objective: Objective, in_force: InForce | None
) -> Decision:
    """Whether to stay with the plan in force, and what to take otherwise. `options`: at least one."""
    best = choose(options, now, objective)
    if in_force is None:
        return Decision(best, predict(best, now), "first", math.inf, best)
    current = in_force.option
    before, after = predict(current, now), predict(best, now)
    gain = _cost(before, objective) / max(_cost(after, objective), 1e-9)
    reason: Literal["stay", "limit", "clear", "small"] = "stay"
    if best != current and (in_force.since_s >= SHORTEST_STAY_S or not in_force.settled):
        missed = _misses(current, before, now, objective)
        if (
            _misses(current, before, now, objective, TOLERANCE)
            and _misses(best, after, now, objective) < 0.9 * missed
        ):
            reason = "limit"
        elif gain >= CLEAR_GAIN:
            reason = "clear"
        elif gain >= SMALL_GAIN and (in_force.since_s >= DWELL_S or not in_force.settled):
            reason = "small"
    if reason == "stay":
        return Decision(current, before, reason, gain, best)
    return Decision(best, after, reason, gain, best)


def _misses(
    option: Option, prediction: Prediction, now: Conditions, objective: Objective, tolerance: float = 1.0
) -> float:
    """0 if the option keeps to all limits. Agreement weighs more than any latency."""
    limit_s = objective.max_latency_s if option.is_local else min(objective.max_latency_s, now.deadline_s)
    late = max(0.0, prediction.latency_s / (tolerance * max(limit_s, 1e-9)) - 1)
    wrong = max(0.0, objective.min_agreement - option.agreement)
    return late / (1 + late) + (1 + wrong if wrong else 0.0)


def _cost(prediction: Prediction, objective: Objective) -> float:
    if objective.kind == "latency":
        return prediction.latency_s
    return prediction.period_s if objective.kind == "throughput" else prediction.frame_bytes
