"""What an option would cost: a pure function of the option and the conditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.planning.costs.waiting import waiting

if TYPE_CHECKING:
    from edge.planning.costs.conditions import Conditions
    from edge.planning.costs.option import Option

_BESIDE_HEADS = 2
"""Frames in the edge's steps while its slowest one, the head as a rule, is what all wait for, beside those in it: one before it, one that
cannot be passed on.
"""
_BETWEEN = 2
"""Frames that may wait for the uplink beside `queue_size`, when all steps have been done: edge/frames/pipeline.py's places less those."""
_NEAR = 0.1
"""A live source that comes so much faster or slower than frames are taken fills the queues, or leaves them empty."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What an option would cost under some conditions."""

    latency_s: float
    """One frame's way from capture to answer, without waiting in the edge's own queues."""
    period_s: float
    """Time between two frames if the source gives as many as can be taken."""
    frame_bytes: float
    """All that travels for a frame, both ways."""
    age_s: float = 0.0
    """One frame's way from capture to answer, with all waiting: how old an answer is when it is there."""


def predict(option: Option, now: Conditions) -> Prediction:
    """The option's latency, period, bytes and age under the conditions `now`."""
    edge_s = (option.head_s + option.encode_s) * now.edge_slowdown
    busy_s = max(edge_s * now.edge_overlap, option.encode_s * now.edge_slowdown)  # which one thread does
    if option.codec is None:
        return Prediction(edge_s, busy_s, 0.0, _age_s(now, edge_s, busy_s, 0.0, 0.0, 0.0))
    size, away_s = now.wire_bytes(option), unhindered_s(option, now)
    taken_s = max(narrowest_s(option, now) * now.crowding, away_s / now.in_flight)
    # By Little's law all places together last as many times as long as one frame is waited for; those that a frame fills alone are no wait.
    spare = max(0.0, now.in_flight - away_s / taken_s) if taken_s > 0 else 0.0
    load = taken_s / max(busy_s, now.interval_s, 1e-9)
    capacity = now.in_flight + now.queue_size + _BETWEEN
    under_way = waiting(load, spare, capacity)
    kept_back = waiting(load, capacity, capacity) - under_way
    away_s += taken_s * under_way
    age_s = _age_s(now, edge_s, busy_s, taken_s, away_s, min(kept_back, now.queue_size + _BETWEEN))
    return Prediction(edge_s + away_s, max(busy_s, taken_s), size, age_s)


def narrowest_s(option: Option, now: Conditions) -> float:
    """Seconds that a frame takes of the slowest resource that all under way share: the link, or the cloud."""
    return max(now.wire_bytes(option) / now.link.bytes_per_s, now.computing_s(option, batched=True))


def unhindered_s(option: Option, now: Conditions) -> float:
    """A frame's way from the edge to its answer, if it is the only one under way."""
    link = now.link
    return (
        link.round_trip_s
        + link.transfer_s(now.wire_bytes(option))
        + now.cloud_wait_s
        + now.computing_s(option)
    )


def _age_s(
    now: Conditions, edge_s: float, busy_s: float, taken_s: float, away_s: float, kept_back: float
) -> float:
    """`kept_back`: how many frames wait for the uplink; `away_s`: from there to the answer."""
    period_s = max(busy_s, taken_s)
    crowded_s = max(edge_s, period_s * (now.heads + _BESIDE_HEADS)) + period_s * kept_back + away_s
    if (
        now.interval_s <= 0
    ):  # the source is always ahead: its queue is full, and one more frame is at its door
        return crowded_s + period_s * (now.queue_size + 1)
    full = min(1.0, max(0.0, (period_s / now.interval_s - 1 + _NEAR) / (2 * _NEAR)))
    free_s = edge_s + taken_s * kept_back + away_s
    return free_s + full * (crowded_s + now.queue_size * now.interval_s - free_s)
