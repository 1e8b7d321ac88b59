"""One cell of the grid: every plan measured, which is the oracle, and the planner's choice."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from bench.emulator.link import Link
from bench.link.slow_edge import slow_plan, slow_preprocess
from edge.planning.pilot import PinnedPilot, PlannedPilot
from edge.planning.planner import Conditions, Objective, predict
from edge.uplink.link import LinkState
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.link.flight import Cockpit
    from edge.metrics import EdgeMetrics
    from edge.planning.conditions import TailTimes
    from edge.planning.plan import Plan
    from edge.uplink.uplink import Uplink

_HOPELESS = 1.5
"""Times the best: a plan whose bytes and head alone take longer is not measured."""
_CLOSE = 1.25
"""Times the best: such plans are measured again, in turns, as the order among them is what matters."""
_ROUNDS = 2
_MAX_S = 60.0


@dataclass(frozen=True)
class Cell:
    """One link, one edge, one cloud."""

    mbit_per_s: float
    round_trip_ms: float
    slowdown: float
    load: float

    @property
    def link(self) -> Link:
        bits = 1e6 * self.mbit_per_s
        return Link(up_bits_per_s=bits, down_bits_per_s=max(bits, 10e6), delay_s=self.round_trip_ms / 2e3)


@dataclass
class Outcome:
    """What was measured in a cell, in milliseconds a frame; the smaller the better."""

    cell: Cell
    values_ms: dict[str, list[float]] = field(default_factory=dict)
    chosen: str = ""
    predicted_ms: float = 0.0
    measured_ms: float = 0.0
    switches: int = 0
    cloud_only: str = ""

    def value_ms(self, name: str) -> float:
        """Median; infinite for a plan that was hopeless."""
        values = self.values_ms.get(name)
        return statistics.median(values) if values else float("inf")

    @property
    def best(self) -> str:
        return min(self.values_ms, key=self.value_ms)

    @property
    def ratio(self) -> float:
        """The choice against the best of all; 1 is perfect."""
        return self.value_ms(self.chosen) / self.value_ms(self.best)

    @property
    def gain(self) -> float:
        """Of the choice over the better one of edge only and cloud only."""
        return min(self.value_ms(OUTPUT), self.value_ms(self.cloud_only)) / self.value_ms(self.chosen)


class Measuring:
    """Measures cells for one edge."""

    def __init__(
        self,
        cockpit: Cockpit,
        plans: Sequence[Plan],
        times: TailTimes,
        objective: Objective,
        *,
        frames: int,
        planner_s: float,
    ) -> None:
        """`plans` and what is known of them are those of an edge that is not slowed."""
        self._cockpit = cockpit
        self._all = list(plans)
        self._times = times
        self._objective = objective
        self._frames = frames
        self._planner_s = planner_s

    def run(self, cell: Cell) -> Outcome:
        """The link must be set, and the cloud busy, as the cell says."""
        slow = [slow_plan(plan, cell.slowdown) for plan in self._all]
        plans = {plan.option.name: plan for plan in slow if plan.option and self._is_right(plan)}
        cockpit = self._slow(cell)
        outcome = Outcome(cell, cloud_only=_cloud_only(plans))
        for name in sorted(plans, key=partial(self._hope_s, cell, plans)):
            best_ms = min(map(outcome.value_ms, outcome.values_ms), default=float("inf"))
            needed = name in (OUTPUT, outcome.cloud_only)
            limit = 4 if needed else _HOPELESS
            if 1e3 * self._least_s(cell, plans[name]) <= limit * best_ms:
                outcome.values_ms[name] = [self._measure(cockpit, plans[name])]
        best_ms = outcome.value_ms(outcome.best)
        close = [name for name in outcome.values_ms if outcome.value_ms(name) <= _CLOSE * best_ms]
        self._fly(cockpit, slow, outcome)
        if outcome.chosen not in outcome.values_ms:
            outcome.values_ms[outcome.chosen] = []
        for _ in range(_ROUNDS):
            for name in dict.fromkeys([*close, outcome.chosen]):
                outcome.values_ms[name].append(self._measure(cockpit, plans[name]))
        return outcome

    def _slow(self, cell: Cell) -> Cockpit:
        preprocess = slow_preprocess(self._cockpit.preprocess, cell.slowdown)
        return replace(self._cockpit, preprocess=preprocess)

    def _is_right(self, plan: Plan) -> bool:
        return plan.option is not None and plan.option.agreement >= self._objective.min_agreement

    def _measure(self, cockpit: Cockpit, plan: Plan) -> float:
        def pinned(_uplink: Uplink, metrics: EdgeMetrics) -> PinnedPilot:
            return PinnedPilot(plan, metrics)

        is_latency = self._objective.kind == "latency"
        frames = self._frames if is_latency else 4 * self._frames
        flight = cockpit.fly(pinned, one_by_one=is_latency, frames=frames, seconds=_MAX_S)
        return flight.value_ms(self._objective.kind)

    def _fly(self, cockpit: Cockpit, plans: list[Plan], outcome: Outcome) -> None:
        def planned(uplink: Uplink, metrics: EdgeMetrics) -> PlannedPilot:
            pilot = PlannedPilot(cockpit.settings, plans, uplink, metrics, live=False)
            pilot.take_tail_times(self._times)
            return pilot

        is_latency = self._objective.kind == "latency"
        flight = cockpit.fly(planned, one_by_one=is_latency, frames=10_000, seconds=self._planner_s)
        outcome.chosen = flight.pilot.option.name
        registry = flight.metrics.registry
        outcome.predicted_ms = 1e3 * (
            registry.get_sample_value("splitdnn_edge_predicted_latency_seconds") or 0.0
        )
        outcome.measured_ms = 1e3 * (
            registry.get_sample_value("splitdnn_edge_measured_latency_seconds") or 0.0
        )
        outcome.switches = int(
            sum(
                registry.get_sample_value("splitdnn_edge_plan_switches_total", {"reason": reason}) or 0.0
                for reason in ("limit", "clear", "small")
            )
        )

    def _hope_s(self, cell: Cell, plans: dict[str, Plan], name: str) -> float:
        """Only the order in which plans are measured."""
        option = plans[name].option
        assert option is not None
        link = LinkState(1.25e5 * cell.mbit_per_s, cell.round_trip_ms / 1e3)
        now = Conditions(link, tails_s=self._times.alone_s, in_flight=self._cockpit.settings.in_flight)
        prediction = predict(option, now)
        return prediction.latency_s if self._objective.kind == "latency" else prediction.period_s

    def _least_s(self, cell: Cell, plan: Plan) -> float:
        """No measurement can be below this: the bytes must cross, and the head must have run."""
        option = plan.option
        assert option is not None
        sending_s = option.frame_bytes / (1.25e5 * cell.mbit_per_s)
        head_s = 0.5 * (option.head_s + option.encode_s)
        if self._objective.kind != "latency":
            return max(0.8 * sending_s, head_s)
        return head_s + (0.8 * sending_s + cell.round_trip_ms / 1e3 if option.codec else 0.0)


def _cloud_only(plans: dict[str, Plan]) -> str:
    """The picture codec with the fewest bytes, of those that are right often enough."""
    pictures = {
        name: plan.option for name, plan in plans.items() if plan.option and plan.split_point.name == INPUT
    }
    return min(pictures, key=lambda name: pictures[name].frame_bytes)
