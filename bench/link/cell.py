"""One cell of the grid: every plan measured, which is the oracle, and the planner's choice."""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from bench.emulator.link import Link
from bench.link.diary import Diary
from bench.link.flight import FILLING, WARM
from edge.planning.pinned import PinnedPilot
from edge.planning.plan_metrics import PlanMetrics
from edge.planning.planner import Conditions, Option, predict
from edge.uplink.link import LinkState
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.link.flight import Cockpit
    from edge.metrics import EdgeMetrics
    from edge.planning.costs.tail_times import TailTimes
    from edge.planning.plan import Plan

_HOPELESS = 1.5
"""Times the best: a plan whose bytes and head alone take longer is not measured."""
_CLOSE = 1.25
"""Times the best: such plans are measured again, in turns, as the order among them is what matters."""
_ROUNDS = 2
_MAX_S, _LEAST_S = 60.0, 2.0
"""What one plan gets in a cell, and what it gets even where the cell's time is over."""
_LATE = 1.5
"""Times a cell's time: beyond it not even the closest plans are measured again."""


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
    """What was measured in a cell, in milliseconds per frame; smaller is better."""

    cell: Cell
    values_ms: dict[str, list[float]] = field(default_factory=dict)
    chosen: str = ""
    predicted_ms: float = 0.0
    measured_ms: float = 0.0
    switches: int = 0
    cloud_only: str = ""
    """The picture codec with the fewest bytes, among those that are right often enough."""
    unmeasured: int = 0
    """Plans for which the cell's time did not suffice: by prediction the slowest, beside the hopeless ones."""

    def kept(self) -> dict[str, Any]:
        """As JSON, without the cell, of which `Outcome(cell, **...)` makes the same."""
        return {name: value for name, value in asdict(self).items() if name != "cell"}

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
        """How many times better the choice is than the better of edge only and cloud only."""
        return min(self.value_ms(OUTPUT), self.value_ms(self.cloud_only)) / self.value_ms(self.chosen)


def counted(objective: str, frames: int) -> tuple[int, int]:
    """How many frames are not counted, and how many are, where a plan is measured by so many."""
    return (WARM, frames) if objective == "latency" else (WARM + FILLING, 4 * frames)


@dataclass(frozen=True)
class Measuring:
    """Measures cells for one edge. `cockpit` is that of an edge that is not slowed."""

    cockpit: Cockpit
    times: TailTimes
    frames: int
    planner_s: float
    cell_s: float
    """A cell takes about twice as long at most: edge only, cloud only and the choice are measured in any case."""
    clock: Callable[[], float] = time.monotonic

    @property
    def _by_latency(self) -> bool:
        return self.cockpit.settings.objective == "latency"

    def run(self, cell: Cell) -> Outcome:
        """Measure one cell. The link must be set, and the cloud busy, as the cell says."""
        cockpit = self.cockpit.slowed(cell.slowdown)
        plans = {
            plan.option.name: plan
            for plan in cockpit.plans
            if plan.option and plan.option.agreement >= cockpit.settings.min_agreement
        }
        options = {name: plan.option for name, plan in plans.items() if plan.option}
        pictures = [name for name, option in options.items() if option.split_point == INPUT]
        cloud_only = min(pictures, key=lambda name: options[name].frame_bytes)
        outcome = Outcome(cell, cloud_only=cloud_only)
        start = self.clock()

        def left_s(share: float = 1.0) -> float:
            return start + share * self.cell_s - self.clock()

        in_order = sorted(options, key=lambda name: self._predicted_s(cell, options[name]))
        ends = (OUTPUT, outcome.cloud_only)
        for name in (*ends, *(name for name in in_order if name not in ends)):
            best_ms = min(map(outcome.value_ms, outcome.values_ms), default=float("inf"))
            if 1e3 * self._bound_s(cell, options[name]) > (4 if name in ends else _HOPELESS) * best_ms:
                continue
            if left_s() > 0 or name in ends:
                outcome.values_ms[name] = [self._measure(cockpit, plans[name], left_s())]
            else:
                outcome.unmeasured += 1
        best_ms = outcome.value_ms(outcome.best)
        close = [name for name in outcome.values_ms if outcome.value_ms(name) <= _CLOSE * best_ms]
        self._fly(cockpit, outcome)
        again = [*([] if outcome.chosen in outcome.values_ms else [outcome.chosen]), *close * _ROUNDS]
        again += [outcome.chosen] * (_ROUNDS - again.count(outcome.chosen))
        for number, name in enumerate(again):
            if left_s(_LATE) > 0 or (not number and name not in outcome.values_ms):
                found = self._measure(cockpit, plans[name], left_s(_LATE))
                outcome.values_ms.setdefault(name, []).append(found)
        return outcome

    def _measure(self, cockpit: Cockpit, plan: Plan, left_s: float) -> float:
        _, frames = counted(self.cockpit.settings.objective, self.frames)
        flight = cockpit.fly(
            lambda _, metrics: PinnedPilot(plan, PlanMetrics(metrics)),
            one_by_one=self._by_latency,
            frames=frames,
            seconds=min(_MAX_S, max(_LEAST_S, left_s)),
        )
        return flight.value_ms(by_latency=self._by_latency)

    def _fly(self, cockpit: Cockpit, outcome: Outcome) -> None:
        diaries: list[Diary] = []

        def told(metrics: EdgeMetrics) -> PlanMetrics:
            diaries.append(Diary(metrics))
            return diaries[-1]

        planned, seconds = cockpit.planned(self.times, told=told), self.planner_s
        flight = cockpit.fly(planned, one_by_one=self._by_latency, frames=10_000, seconds=seconds)
        outcome.chosen = flight.pilot.option.name

        outcome.predicted_ms, outcome.measured_ms = diaries[-1].medians_ms()
        outcome.switches = diaries[-1].switches

    def _predicted_s(self, cell: Cell, option: Option) -> float:
        """The planner's prediction; it only orders the plans that are measured."""
        link = LinkState(1.25e5 * cell.mbit_per_s, cell.round_trip_ms / 1e3)
        now = Conditions(link, tails_s=self.times.alone_s, in_flight=self.cockpit.settings.in_flight)
        prediction = predict(option, now)
        return prediction.latency_s if self._by_latency else prediction.period_s

    def _bound_s(self, cell: Cell, option: Option) -> float:
        """A lower bound of every measurement: the bytes must cross, and the head must have run."""
        sending_s = option.frame_bytes / (1.25e5 * cell.mbit_per_s)
        head_s = 0.5 * (option.head_s + option.encode_s)
        if not self._by_latency:
            return max(0.8 * sending_s, head_s)
        return head_s + (0.8 * sending_s + cell.round_trip_ms / 1e3 if option.codec else 0.0)
