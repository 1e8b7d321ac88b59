"""What is exported of each of several clouds; of one alone, edge/metrics.py says everything."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import Gauge

from shared.observing.counting.counter import Counter

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

STATES = ("not_asked", "closed", "slow_start", "paused", "half_open", "open", "other_network")
OUTCOMES = ("answered", "failed", "resent", "tried")
LEFT_OUT = ("circuit_open", "other_network")


class CloudMetrics:
    """Metrics with the label `cloud`: an address without user and password, of which there are as many as settings name."""

    def __init__(self, registry: CollectorRegistry) -> None:
        prefix = "splitdnn_edge_cloud_"
        self.frames = Counter(
            prefix + "frames_total",
            "Frames sent to each of several clouds, by what became of them there: answered, failed, not answered and so sent to another, "
            "or tried: a copy that shows whether it is back.",
            ["cloud", "outcome"],
            registry=registry,
        )
        self.left_out = Counter(
            prefix + "left_out_total",
            "Times that one of several clouds was asked no more, by why: its circuit opened, or it runs another network than the edge.",
            ["cloud", "reason"],
            registry=registry,
        )
        self.state = Gauge(
            prefix + "state",
            "1 for the state of each of several clouds.",
            ["cloud", "state"],
            registry=registry,
        )
        self.in_flight = Gauge(
            prefix + "in_flight",
            "Frames under way at each of several clouds, when one of them ended lately.",
            ["cloud"],
            registry=registry,
        )
        self.expected = Gauge(
            prefix + "expected_seconds",
            "What one more frame is expected to take at each of several clouds, by which they are compared.",
            ["cloud"],
            registry=registry,
        )
        self.round_trip = Gauge(
            prefix + "round_trip_seconds",
            "Estimated for each of several clouds.",
            ["cloud"],
            registry=registry,
        )
        self.throughput = Gauge(
            prefix + "throughput_bytes_per_second",
            "What the uplink to each of several clouds is estimated to carry.",
            ["cloud"],
            registry=registry,
        )


class OfCloud:
    """Those of one cloud."""

    def __init__(self, metrics: CloudMetrics, name: str) -> None:
        self._metrics = metrics
        self._name = name
        self.frames = {each: metrics.frames.labels(cloud=name, outcome=each) for each in OUTCOMES}
        self._in_flight = metrics.in_flight.labels(cloud=name)
        self._expected = metrics.expected.labels(cloud=name)
        self._round_trip = metrics.round_trip.labels(cloud=name)
        self._throughput = metrics.throughput.labels(cloud=name)
        for reason in LEFT_OUT:
            metrics.left_out.labels(cloud=name, reason=reason)

    def left_out(self, reason: str) -> None:
        """It is asked no more, for one of LEFT_OUT."""
        self._metrics.left_out.labels(cloud=self._name, reason=reason).inc()

    def follow(self, state: Callable[[], str]) -> None:
        """From now on export the state that holds when the metrics are read, on whichever thread that is."""

        def is_now(one: str) -> float:
            return float(state() == one)

        for each in STATES:
            self._metrics.state.labels(cloud=self._name, state=each).set_function(partial(is_now, each))

    def learned(self, *, under_way: int, expected_s: float, round_trip_s: float, bytes_per_s: float) -> None:
        """A frame has ended, answered or not."""
        self._in_flight.set(under_way)
        self._expected.set(expected_s)
        self._round_trip.set(round_trip_s)
        self._throughput.set(bytes_per_s)
