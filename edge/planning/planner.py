"""Chooses the split point and codec: a pure function of measured conditions.

It has no clock, no socket and no state, so every decision can be tested, fuzzed and replayed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from shared.network.partition import INPUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.uplink.link import LinkState

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
class Option:
    """A split point and a codec, and what they cost. Times are seconds for one frame on this machine, when nothing else runs."""

    split_point: str
    codec: str | None
    """As `make_codec` takes it; None at `output`, where nothing travels."""
    head_s: float
    """Preprocessing and head."""
    encode_s: float
    decode_s: float
    tail_s: float
    """The rest of the network: what this machine would take if the cloud does not answer."""
    frame_bytes: float
    """Mean, with the frame's header; 0 at `output`."""
    agreement: float
    """What the answers have in common with the unsplit network's, 0 … 1: of classes, the share of frames with the same top class."""
    frames: int
    """How many it was counted on."""

    @property
    def name(self) -> str:
        return f"{self.split_point} {self.codec}" if self.codec else self.split_point

    @property
    def is_local(self) -> bool:
        """Whether nothing travels."""
        return self.codec is None


@dataclass(frozen=True, slots=True)
class Objective:
    """What the user wants."""

    kind: Literal["latency", "throughput", "bytes"] = "latency"
    min_agreement: float = 0.0
    """0 … 1, as an option's `agreement`."""
    max_latency_s: float = math.inf


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the planner knows about the link, the cloud and this machine at the moment."""

    link: LinkState
    tails_s: Mapping[str, float] = field(default_factory=dict)
    """The cloud's time for the tail of one frame, by split point; a missing one is taken from this machine's own times."""
    batched_tails_s: Mapping[str, float] = field(default_factory=dict)
    """The same when as many frames arrive together as are under way at once."""
    cloud_wait_s: float = 0.0
    """Time that a frame waits in the cloud's queue."""
    edge_slowdown: float = 1.0
    """How many times slower this machine is than when its options were timed."""
    cloud_slowdown: float = 1.0
    """How many times slower the cloud is than it reported."""
    sizes: Mapping[str, float] = field(default_factory=dict)
    """Bytes of real frames relative to those of the options, by codec."""
    interval_s: float = 0.0
    """Time between two frames of the source; 0 if the source waits for its reader."""
    in_flight: int = 1
    deadline_s: float = math.inf

    def computing_s(self, option: Option, *, batched: bool = False) -> float:
        """The cloud's time for decoding and tail. Its decoding speed is inferred from its computing speed."""
        tails_s = self.batched_tails_s if batched else self.tails_s
        whole_s = self.tails_s.get(INPUT)
        local_s = option.head_s + option.tail_s
        ratio = min(1.0, whole_s / local_s) if whole_s and local_s else 1.0
        tail_s = tails_s.get(option.split_point, self.tails_s.get(option.split_point, option.tail_s))
        return (option.decode_s * ratio + tail_s) * self.cloud_slowdown


@dataclass(frozen=True, slots=True)
class Prediction:
    """What an option would cost under some conditions."""

    latency_s: float
    """One frame's way from capture to answer, without waiting in the edge's own queues."""
    period_s: float
    """Time between two frames if the source gives as many as can be taken."""
    frame_bytes: float


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


def predict(option: Option, now: Conditions) -> Prediction:
    """The option's latency, period and bytes under the conditions `now`."""
    edge_s = (option.head_s + option.encode_s) * now.edge_slowdown
    if option.codec is None:
        return Prediction(edge_s, edge_s, 0.0)
    size = option.frame_bytes * now.sizes.get(option.codec, 1.0)
    transfer_s = now.link.transfer_s(size)
    computing_s = now.computing_s(option)
    away_s = now.link.round_trip_s + transfer_s + now.cloud_wait_s + computing_s
    # Frames that are under way at once all wait for the slowest resource that they share.
    narrowest_s = max(size / now.link.bytes_per_s, now.computing_s(option, batched=True))
    period_s = max(edge_s, narrowest_s, away_s / now.in_flight)
    # A gradual transition: close to the limit, chance decides how many frames wait.
    load = narrowest_s / max(edge_s, now.interval_s, 1e-9)
    full = min(1.0, max(0.0, (load - 0.8) / 0.4))
    away_s += full * max(0.0, now.in_flight * narrowest_s - away_s)
    return Prediction(edge_s + away_s, period_s, size)


def choose(options: Sequence[Option], now: Conditions, objective: Objective) -> Option:
    """The best of `options`, at least one; if none keeps to the limits, the one that misses them least.

    Among those that are about as good as the best, the one with the fewest bytes.
    """
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


def ranked(
    options: Sequence[Option], now: Conditions, objective: Objective
) -> list[tuple[Option, Prediction, bool]]:
    """All of them with what they would cost, the best first, and whether each keeps to the limits."""
    found = []
    for option in options:
        prediction = predict(option, now)
        missed = _misses(option, prediction, now, objective)
        found.append((missed, _cost(prediction, objective), option, prediction))
    found.sort(key=lambda each: each[:2])
    return [(option, prediction, not missed) for missed, _, option, prediction in found]


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
