"""How many frames wait for what is slowest, where frames come about as fast as it takes them."""

from __future__ import annotations

import math

_VARIANCE = 0.2
"""Variance of the times between frames and of those that they take, relative to their squared means, together. So much is usual of
photographs, networks and links, and an estimate of the load is not more exact than that either.
"""
_EVEN = 1e-6


def waiting(load: float, most: float, capacity: float) -> float:
    """How many frames wait on average, those beyond `most` not counted, where `capacity` is the number at which no more come.

    `load`: the time that the slowest takes for a frame, relative to the time between two frames. By the diffusion approximation of a queue
    with an end (Kobayashi 1974): below a load of 1 it is about empty, above it about full, and at 1 every length is as likely.
    """
    most = min(most, capacity)
    if most <= 0:
        return 0.0
    pull = 2 * (1 - load) / (max(load, 1e-9) * _VARIANCE)  # towards an empty queue
    if abs(pull) * capacity < _EVEN:
        return most - most * most / (2 * capacity)
    if pull > 0:
        rest = math.exp(-pull * capacity)
        return (-math.expm1(-pull * most) / pull - most * rest) / (1 - rest)
    push = -pull
    short = (math.exp(-push * (capacity - most)) - math.exp(-push * capacity)) / push
    return (most - short) / -math.expm1(-push * capacity)
