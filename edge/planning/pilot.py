"""Keeps the plan: gathers what the frames tell, asks the planner, and puts another plan into force."""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING, Any

from edge.planning.conditions import Observations
from edge.planning.costs.scouting import pause_s, scout
from edge.planning.costs.tail_times import TailTimes, parse_tail_times
from edge.planning.costs.wire import wire_of
from edge.planning.pinned import PinnedPilot
from edge.planning.planner import Decision, InForce, Objective, decide
from edge.planning.told import tell, tell_budget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from edge.cameras.settings import Aims
    from edge.config import EdgeSettings
    from edge.frames.way import Outcome
    from edge.planning.pace import Pace
    from edge.planning.plan import Plan
    from edge.planning.plan_metrics import PlanMetrics
    from edge.planning.planner import Option
    from edge.uplink.clouds.uplinks import Uplinks
    from edge.uplink.uplink import Uplink

_log = logging.getLogger(__name__)

_SETTLED_AFTER = 5
"""Answers since the start, the latest trouble or the latest jump of the link; until then any better plan is taken."""
_AGAIN_S = 0.1
"""Until the next such frame after a surprising measurement, to see whether it was chance."""


class PlannedPilot:
    """Follows the planner, given what has been measured. Used from the event loop, except for `take`."""

    def __init__(
        self,
        settings: EdgeSettings,
        plans: Iterable[Plan],
        uplink: Uplink | Uplinks,
        metrics: PlanMetrics,
        *,
        pace: Pace,
        aims: Aims | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`plans` are compiled, all of them, and each has an option. `pace` is that of all the edge's cameras.

        `aims` are those of the cameras whose frames it leads, by default those of `settings`.
        """
        self._plans = {plan.option: plan for plan in plans if plan.option}
        wanted = aims or settings
        self._objective = Objective(wanted.objective, wanted.min_agreement, wanted.max_latency or math.inf)
        self._explore_s = settings.explore_s
        self._uplink = uplink
        self._metrics = metrics
        self._clock = clock
        self._wire = wire_of(uplink)
        self._seen = Observations(
            uplink.link,
            pace,
            in_flight=settings.in_flight,
            deadline_s=wanted.deadline_s,
            wire=self._wire,
            allowed=lambda: metrics.budget.bytes_per_s,
            queue_size=settings.queue_size,
            heads=settings.head_workers,
        )
        self._retired = False
        self._reason = "first"
        self._answers, self._jumps = 0, uplink.link.jumps
        self._since = clock()
        self._explored_at = float("-inf")
        self._next_scout: Plan | None = None
        for plan in self._plans.values():
            metrics.in_force(plan, now=False)
        first = decide(self._usable(), self._seen.conditions(), self._objective, None)
        self._option = self._put_into_force(first)

    @property
    def option(self) -> Option:
        """The option in force."""
        return self._option

    def take(self) -> tuple[Plan, bool]:
        scout, self._next_scout = self._next_scout, None
        return (scout, True) if scout else (self._plans[self._option], False)

    def read_tail_times(self, said: Mapping[str, Any], cloud: str | None = None) -> bool:
        """Take the answer of the cloud, which of several, to `GET /tail-times`; returns whether it made sense."""
        times = parse_tail_times(said)
        if times:
            self.take_tail_times(times, cloud)
        return times is not None

    def take_tail_times(self, times: TailTimes, cloud: str | None = None) -> None:
        """Plan with these times from now on."""
        self._seen.take_tail_times(times, cloud)
        if not self._retired:
            self._decide()

    def answered(self, plan: Plan, steps_ms: Mapping[str, float], cloud: str | None = None) -> None:
        if self._retired:
            return
        self._answers += 1
        if self._uplink.link.jumps > self._jumps:  # what was settled held for another link
            self._jumps, self._answers = self._uplink.link.jumps, 0
        self._seen.answered(plan.option, steps_ms, cloud)
        self._decide()

    def failed(self, plan: Plan, *, explored: bool) -> None:
        if self._retired:
            return
        self._seen.failed(plan.option)
        if not explored:
            self._answers = 0
        self._decide()

    def retire(self) -> None:
        self._retired, self._next_scout = True, None
        self._metrics.in_force(self._plans[self._option], now=False)

    def delivered(self, outcome: Outcome, latency_s: float) -> None:
        if self._retired:
            return
        frame = outcome.encoded
        in_force = frame.plan is self._plans[self._option]
        as_planned = in_force and outcome.fallback is None
        self._seen.delivered(
            frame.plan.option,
            frame.origin.watch.seconds,
            frame.payload_bytes,
            latency_s if as_planned else None,
            keyframe=frame.keyframe,
        )
        if (measured_s := self._seen.latency_s) is not None:
            self._metrics.measured(measured_s)
        if in_force and self._option.is_local and self._uplink.circuit.is_closed:
            self._decide()
        self._explore()

    def said(self) -> dict[str, Any]:
        now, held = self._seen.conditions(), self._in_force()
        told = tell(self._usable(), now, self._objective, held, why=self._reason)
        return told | tell_budget(self._metrics.budget)

    def _in_force(self) -> InForce:
        return InForce(self._option, self._clock() - self._since, self._answers >= _SETTLED_AFTER)

    def _decide(self) -> None:
        now = self._seen.conditions()
        decision = decide(self._usable(), now, self._objective, self._in_force())
        if decision.reason != "stay":
            self._option = self._put_into_force(decision)
            return
        self._metrics.predicted(decision.prediction.latency_s)

    def _put_into_force(self, decision: Decision) -> Option:
        """The next frame takes the decision's option, and those under way keep theirs."""
        metrics, option, now = self._metrics, decision.option, self._seen.conditions()
        self._reason = decision.reason
        if decision.reason != "first":
            metrics.in_force(self._plans[self._option], now=False)
            metrics.switched(decision.reason)
        metrics.in_force(self._plans[option], now=True)
        metrics.predicted(decision.prediction.latency_s)
        self._since = self._clock()
        self._seen.new_plan()
        _log.info(
            "plan %s (%s): predicted %.1f ms, %.1f frames/s, %.0f bytes, agreement %.3f; %s times better than before; link "
            "%.2f Mbit/s, %.1f ms, cloud queue %.1f ms, this machine %.2f and the cloud %.2f times as slow as alone",
            option.name, decision.reason, 1e3 * decision.prediction.latency_s, 1 / max(decision.prediction.period_s, 1e-9),
            decision.prediction.frame_bytes, option.agreement,
            "-" if math.isinf(decision.gain) else f"{decision.gain:.2f}",
            8e-6 * now.link.bytes_per_s, 1e3 * now.link.round_trip_s, 1e3 * now.cloud_wait_s,
            now.edge_slowdown, now.cloud_slowdown,
        )  # fmt: skip
        return option

    def _explore(self) -> None:
        """If the plan's own frames do not measure the link, send one that does, now and then; the edge answers it."""
        if not self._explore_s or self._uplink.circuit.is_open or self._metrics.budget.is_spent:
            return
        now, link = self._clock(), self._uplink.link
        blind_s = now - max(link.told_at, self._explored_at)
        if blind_s < (_AGAIN_S if link.is_jumping else self._explore_s):
            return  # before any option is weighed, as this is asked after each frame
        conditions = self._seen.conditions()
        found = scout(
            self._usable(),
            conditions,
            self._objective,
            self._option,
            telling_bytes=link.telling_bytes,
        )
        if found and blind_s >= pause_s(found, conditions):
            self._explored_at = now
            self._next_scout = self._plans[found]

    def _usable(self) -> list[Option]:
        """All that the cloud has split point, codec and profile for, streams in a session only; all of them if there are no others."""
        usable = [
            option
            for option, plan in self._plans.items()
            if self._uplink.can_answer(option.split_point, plan.codec)
            and (self._wire.has_session or not option.is_inter)
        ]
        return usable or list(self._plans)


def make_pilot(
    settings: EdgeSettings,
    plans: Sequence[Plan],
    uplink: Uplink | Uplinks,
    metrics: PlanMetrics,
    *,
    pace: Pace,
    aims: Aims,
) -> PinnedPilot | PlannedPilot:
    """The pilot for the one plan that the user chose, or for all that the planner may choose from; parameters as of PlannedPilot.

    A planned pilot is told the cloud's tail times whenever the cloud is greeted.
    """
    if not any(plan.option for plan in plans):
        return PinnedPilot(plans[0], metrics)
    pilot = PlannedPilot(settings, plans, uplink, metrics, pace=pace, aims=aims)
    uplink.follow_tail_times(pilot.read_tail_times)
    return pilot
