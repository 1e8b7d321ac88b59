"""What one thread's measurements say of several threads and several workers. Nothing is fitted.

With U the share of the time in which one thread ran tails (the utilisation law: frames/s times the tail's seconds a frame), T threads
shorten that share and nothing else: Amdahl's law (AFIPS 1967) with U as the part that is divided,

    X(T) = X(1) / (1 - U + U / T).

W workers with one thread each are W clouds of one thread, among which the kernel spreads n clients at random:

    X(W) = W * E[ X(1) at k clients ],  k binomial of n and 1 / W.

Neither can do more than the machine: each frame costs C seconds of the cloud's processor time and G of the load generator's, so

    X <= cores / (C + G),

the asymptotic bound of operational analysis (Denning and Buzen, ACM Computing Surveys 10, 1978). X(T) and X(W) are the lower of both.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class One:
    """One worker with one thread, measured with some number of clients."""

    per_s: float
    """Frames/s."""
    tail_s: float
    """Seconds in which tails ran, a frame."""
    cpu_s: float
    """Processor seconds of the cloud, a frame."""
    load_s: float
    """The same of the load generator."""

    @property
    def busy(self) -> float:
        """The share of the time in which tails ran, 0 to 1."""
        return min(1.0, self.per_s * self.tail_s)

    def bound(self, cores: int) -> float:
        """Frames/s that this machine cannot exceed."""
        return cores / (self.cpu_s + self.load_s)


def with_threads(one: One, threads: int, cores: int) -> float:
    """Frames/s of one worker with so many threads, with as many clients."""
    amdahl = one.per_s / (1 - one.busy + one.busy / threads)
    return min(amdahl, one.bound(cores))


def with_workers(measured: Mapping[int, One], clients: int, workers: int, cores: int) -> float:
    """Frames/s of several workers with one thread each. `measured`: by the number of clients, `clients` among them."""
    expected = sum(_chance(clients, k, 1 / workers) * _between(measured, k) for k in range(1, clients + 1))
    return min(workers * expected, measured[clients].bound(cores))


def _chance(count: int, k: int, share: float) -> float:
    """The binomial probability of k out of `count`; by logarithms, as the number of ways is no float from a thousand on."""
    if share == 1:
        return float(k == count)
    ways = math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1)
    return math.exp(ways + k * math.log(share) + (count - k) * math.log1p(-share))


def _between(measured: Mapping[int, One], clients: int) -> float:
    """Frames/s with so many clients, on a straight line between the two numbers that were measured; none with none."""
    counts = sorted(measured)
    place = bisect_left(counts, clients)
    if place == len(counts):
        return measured[counts[-1]].per_s
    above = counts[place]
    below = counts[place - 1] if place else 0
    low = measured[below].per_s if place else 0.0
    return low + (measured[above].per_s - low) * (clients - below) / (above - below)
