"""Links that change with time, drawn from published statistics: mobile networks and satellites.

No trace is a recording. A published median or quartile is kept to; where a source gives no spread, the spread is ours, and said to be.
Rates and delays follow one another as a stationary Gaussian process (AR(1)), whose quantiles are mapped to those of the link, so that a
long trace has these quantiles, and neighbours resemble each other. The same seed gives the same trace.

| trace | published | ours |
|---|---|---|
| `lte` | median of 6 Mbit/s up and 13 down (Huang and others, A Close Examination of Performance and Power Characteristics of 4G LTE Networks, MobiSys 2012) | the spread of the rate: the 5th percentile is a twelfth of the median, as at a cell's edge; round trip 45 to 150 ms, median 70 |
| `starlink` | median of 13.54 Mbit/s up and 87.25 down (Ookla, Speedtest Intelligence, USA, third quarter of 2021); round trip at least 20 ms, quartiles 40, 50 and 60 (Michel and others, A First Look at Starlink Performance, IMC 2022); another path every 15 s (Mohan and others, A Multifaceted Look at Starlink Performance, WWW 2024) | the spread of the rate |
| `geo` | median of 2.54 Mbit/s up, 19.30 down and 744 ms (Ookla, the same quarter, HughesNet) | the spread of both |
"""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from bench.emulator.link import Link

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Quantiles = Sequence[tuple[float, float]]
    """(share, value), by share, from 0 to 1."""

_NORMAL = NormalDist()
_SPREAD: Quantiles = ((0.0, 0.05), (0.05, 0.3), (0.25, 0.7), (0.5, 1.0), (0.75, 1.35), (1.0, 2.2))
"""How a satellite's rate spreads, over its median."""
_OF_CELL: Quantiles = ((0.0, 0.01), (0.05, 1 / 12), (0.25, 0.5), (0.5, 1.0), (0.75, 1.6), (1.0, 3.0))


@dataclass(frozen=True)
class Kind:
    """One kind of link."""

    name: str
    up_bits_per_s: float
    """Median, as the next one."""
    down_bits_per_s: float
    rate: Quantiles
    """Over the median, of both directions."""
    round_trip_s: Quantiles
    step_s: float
    """How long a value holds."""
    memory: float
    """Correlation of a step's values with those of the step before."""
    again_s: float = math.inf
    """After so long all begins anew, as with another satellite."""
    loss: float = 0.0

    def links(self, seed: int = 0) -> Iterator[tuple[float, Link]]:
        """Without end: seconds, and the link that holds for them."""
        chance = random.Random(f"{self.name} {seed}")  # noqa: S311 - nothing to guard
        rate, delay = chance.gauss(0, 1), chance.gauss(0, 1)
        for number in itertools.count(1):
            yield self.step_s, self._link(_share(rate), _share(delay))
            keep = 0.0 if self._changes(number) else self.memory
            rate, delay = (
                keep * each + math.sqrt(1 - keep**2) * chance.gauss(0, 1) for each in (rate, delay)
            )

    def trace(self, seconds: float, seed: int = 0) -> list[tuple[float, Link]]:
        """As `Emulator.play` takes it: at least so many seconds."""
        return list(itertools.islice(self.links(seed), math.ceil(seconds / self.step_s)))

    def _link(self, rate: float, delay: float) -> Link:
        factor, round_trip_s = quantile(self.rate, rate), quantile(self.round_trip_s, delay)
        up, down = factor * self.up_bits_per_s, factor * self.down_bits_per_s
        return Link(up, down, round_trip_s / 2, loss=self.loss, stall_s=stall_s(round_trip_s))

    def _changes(self, number: int) -> bool:
        return math.isfinite(self.again_s) and number * self.step_s % self.again_s < self.step_s


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "lte", 6e6, 13e6, _OF_CELL,
            ((0.0, 0.045), (0.25, 0.055), (0.5, 0.07), (0.75, 0.09), (1.0, 0.15)),
            step_s=0.5, memory=0.9, loss=0.001,
        ),
        Kind(
            "starlink", 13.54e6, 87.25e6, _SPREAD,
            ((0.0, 0.02), (0.25, 0.04), (0.5, 0.05), (0.75, 0.06), (1.0, 0.12)),
            step_s=1.0, memory=0.8, again_s=15.0, loss=0.005,
        ),
        Kind(
            "geo", 2.54e6, 19.3e6, _SPREAD,
            ((0.0, 0.6), (0.25, 0.69), (0.5, 0.744), (0.75, 0.8), (1.0, 1.1)),
            step_s=1.0, memory=0.9, loss=0.005,
        ),
    )
}  # fmt: skip


def stall_s(round_trip_s: float) -> float:
    """What a lost segment costs a thin stream: Linux' time-out, a steady round trip and its shortest margin of 200 ms (RFC 6298's form)."""
    return round_trip_s + 0.2


def quantile(quantiles: Quantiles, share: float) -> float:
    """The value of which this share is at most as large, between two known ones in even steps."""
    for (low, least), (high, most) in itertools.pairwise(quantiles):
        if share <= high:
            return least + (most - least) * (share - low) / (high - low)
    return quantiles[-1][1]


def _share(normal: float) -> float:
    return _NORMAL.cdf(normal)
