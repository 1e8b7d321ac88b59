"""A histogram for what is counted dozens of times a frame: prometheus_client's own takes ten times as long."""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.utils import floatToGoString

from shared.observing.counting.pending import Pending

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client import CollectorRegistry


class Series:
    """The observations of one label value. For any thread."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """`bounds` are the buckets' upper ones, in order; the last bucket is without."""
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._now = list(self._counts), self._sum  # replaced as a whole, so that readers find both or neither
        self._pending = Pending(self._add_up)
        self.observe = self._pending.put
        """Counts one observation."""

    def state(self) -> tuple[list[int], float]:
        """The number of observations in each bucket, and the sum of all."""
        self._pending.flush()
        return self._now

    def _add_up(self, amounts: list[float]) -> None:
        for amount in amounts:
            self._counts[bisect_left(self._bounds, amount)] += 1
            self._sum += amount
        self._now = list(self._counts), self._sum


class Histogram:
    """Exported as prometheus_client's is; with at most one label."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Sequence[str] = (),
        *,
        buckets: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        """`buckets` are their upper bounds, in order."""
        assert len(labelnames) <= 1
        self._name = name
        self._documentation = documentation
        self._labelnames = labelnames
        self._bounds = tuple(buckets)
        self._series: dict[str, Series] = {}
        if not labelnames:
            self.observe = self.labels().observe
        registry.register(self)

    def labels(self, **value: str) -> Series:
        """The series of a value of the label, which is exported from now on."""
        key = next(iter(value.values()), "")
        return self._series.get(key) or self._series.setdefault(key, Series(self._bounds))

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """What the registry reserves the names of."""
        yield HistogramMetricFamily(self._name, self._documentation, labels=self._labelnames)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """All series, for the registry."""
        [family] = self.describe()
        bounds = [floatToGoString(bound) for bound in (*self._bounds, math.inf)]  # type: ignore[no-untyped-call]
        for value, series in list(self._series.items()):
            counts, total = series.state()
            buckets = list(zip(bounds, accumulate(counts), strict=True))
            family.add_metric([value] if self._labelnames else [], buckets, total)
        yield family
