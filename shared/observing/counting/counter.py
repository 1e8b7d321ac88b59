"""A counter for what is counted several times a frame: prometheus_client's own takes five times as long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily

from shared.observing.counting.pending import Pending

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client import CollectorRegistry


class Count:
    """The count of one combination of label values. For any thread."""

    def __init__(self) -> None:
        self._total = 0.0
        self._pending = Pending(self._add_up)

    def inc(self, amount: float = 1.0) -> None:
        """Add to it, which must not become less. Raises ValueError."""
        if amount < 0:
            raise ValueError(f"a counter cannot go down by {-amount}")
        self._pending.put(amount)

    def value(self) -> float:
        """The sum so far."""
        self._pending.flush()
        return self._total

    def _add_up(self, amounts: list[float]) -> None:
        for amount in amounts:
            self._total += amount


class Counter:
    """Exported as prometheus_client's is."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Sequence[str] = (),
        *,
        registry: CollectorRegistry | None,
    ) -> None:
        """`name` ends with `_total`, or gets it. Without a `registry` it only counts."""
        self._name = name
        self._documentation = documentation
        self._labelnames = tuple(labelnames)
        self._counts: dict[tuple[str, ...], Count] = {}
        if not labelnames:
            self.inc = self.labels().inc
        if registry:
            registry.register(self)

    def labels(self, *values: str, **named: str) -> Count:
        """The count of these values, in the order of the labels or by name, which is exported from now on."""
        key = values or tuple([named[name] for name in self._labelnames])
        count = self._counts.get(key)
        if count is None:
            if len(key) != len(self._labelnames) or len(named) not in (0, len(key)):
                raise ValueError(f"labels {values or named}; accepted: {self._labelnames}")
            count = self._counts.setdefault(key, Count())
        return count

    def describe(self) -> Iterator[CounterMetricFamily]:
        """What the registry reserves the names of."""
        yield CounterMetricFamily(self._name, self._documentation, labels=self._labelnames)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """All counts, for the registry."""
        [family] = self.describe()
        for key, count in list(self._counts.items()):
            family.add_metric(key, count.value())
        yield family
