"""Keeps the plan: gathers what the frames tell, asks the planner, and puts another plan into force.

`Pinned` does the same for a user who has chosen.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from edge.planning.conditions import Observations
from edge.planning.planner import Decision, InForce, Objective, choose, decide, predict
from edge.uplink.circuit import State
from edge.uplink.link import TELLING_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.frames.job import Job
    from edge.metrics import EdgeMetrics
    from edge.planning.plan import Plan
    from edge.planning.planner import Conditions, Option
    from edge.uplink.circuit import Circuit
    from edge.uplink.cloud_times import CloudTimes
    from edge.uplink.link import Link
    from edge.uplink.reply import Reply
    from shared.codecs.calibrated.profile import Profile

_log = logging.getLogger(__name__)

_SETTLED_AFTER = 5
"""Answers, from the start, the latest trouble or the latest jump of the link: until then any better plan is taken."""
_AGAIN_S = 0.1
"""After a frame told something surprising, until the next is sent to see whether it was chance."""
_SHARE_OF_LINK = 0.25
"""Of the time, at most, the link carries frames that are sent to learn about it."""


class Pilots(Protocol):
    """What the pipeline flies by."""

    def take(self) -> tuple[Plan, bool]:
        """For the next frame, from the thread that runs heads: its plan, and whether the edge answers it itself.

        The latter is sent all the same, to learn about the link.
        """

    def answered(self, job: Job, reply: Reply) -> None:
        """The cloud answered this frame, whether or not that was waited for."""

    def failed(self, job: Job) -> None:
        """It did not."""

    def delivered(self, job: Job, latency_s: float) -> None:
        """The frame is done."""


class Pinned:
    """One plan, for good."""

    def __init__(self, plan: Plan, metrics: EdgeMetrics) -> None:
        self._plan = plan
        metrics.plan_info.labels(split_point=plan.split_point.name, codec=plan.label).set(1)

    def take(self) -> tuple[Plan, bool]:
        return self._plan, False

    def answered(self, job: Job, reply: Reply) -> None:
        """Nothing follows from it."""

    def failed(self, job: Job) -> None:
        """Nothing follows from it."""

    def delivered(self, job: Job, latency_s: float) -> None:
        """Nothing follows from it."""


class Pilot:
    """The plan that the planner makes of what was seen. From the event loop, but for `take`."""

    def __init__(
        self,
        plans: Mapping[Option, Plan],
        objective: Objective,
        link: Link,
        circuit: Circuit,
        metrics: EdgeMetrics,
        *,
        in_flight: int,
        deadline_s: float,
        explore_s: float,
        live: bool,
        can_decode: Callable[[Profile | None], bool] = lambda _: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`plans` are compiled, all of them. `explore_s` 0 sends no frame to learn about the link.

        `can_decode` says whether the cloud has a plan's profile.
        """
        self._plans = dict(plans)
        self._can_decode = can_decode
        self._objective = objective
        self._link = link
        self._circuit = circuit
        self._metrics = metrics
        self._explore_s = explore_s
        self._clock = clock
        self._seen = Observations(link, in_flight=in_flight, deadline_s=deadline_s, live=live)
        self._answers = self._jumps = 0
        self._since = clock()
        self._explored_at = float("-inf")
        self._next_shadow: Plan | None = None
        for plan in plans.values():
            metrics.plan_info.labels(split_point=plan.split_point.name, codec=plan.label).set(0)
        self._option = self._fly(decide(self._usable(), self._seen.conditions(), objective, None))

    @property
    def option(self) -> Option:
        """What is in force."""
        return self._option

    def take(self) -> tuple[Plan, bool]:
        shadow, self._next_shadow = self._next_shadow, None
        return (shadow, True) if shadow else (self._plans[self._option], False)

    def cloud_times(self, times: CloudTimes) -> None:
        """What `GET /profile` said."""
        self._seen.cloud_times = times
        self._decide()

    def answered(self, job: Job, reply: Reply) -> None:
        self._answers += 1
        if self._link.jumps > self._jumps:  # what was settled was so on another link
            self._jumps, self._answers = self._link.jumps, 0
        self._seen.answered(job, reply)
        self._decide()

    def failed(self, job: Job) -> None:
        if job.fallback != "explore":
            self._answers = 0
        self._decide()

    def delivered(self, job: Job, latency_s: float) -> None:
        self._seen.delivered(job, latency_s, in_force=job.plan is self._plans[self._option])
        measured_s = self._seen.latency_s
        if measured_s is not None:
            self._metrics.measured_latency.set(measured_s)
        is_closed = self._circuit.state is State.CLOSED
        if job.plan is self._plans[self._option] and self._option.is_local and is_closed:
            self._decide()
        self._explore()

    def _decide(self) -> None:
        now = self._seen.conditions()
        in_force = InForce(self._option, self._clock() - self._since, self._answers >= _SETTLED_AFTER)
        decision = decide(self._usable(), now, self._objective, in_force)
        if decision.reason == "stay":
            self._metrics.predicted_latency.set(decision.prediction.latency_s)
        else:
            self._option = self._fly(decision)

    def _fly(self, decision: Decision) -> Option:
        """Put the decision's option into force: the next frame takes it, and those under way keep theirs."""
        metrics, option, now = self._metrics, decision.option, self._seen.conditions()
        if decision.reason != "first":
            old = self._plans[self._option]
            metrics.plan_info.labels(split_point=old.split_point.name, codec=old.label).set(0)
            metrics.plan_switches.labels(reason=decision.reason).inc()
        plan = self._plans[option]
        metrics.plan_info.labels(split_point=plan.split_point.name, codec=plan.label).set(1)
        metrics.predicted_latency.set(decision.prediction.latency_s)
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
        """Where the plan's own frames tell nothing of the link, send one that does, now and then; the edge answers it."""
        if not self._explore_s or self._circuit.state is State.OPEN:
            return
        now = self._clock()
        blind_s = now - max(self._link.told_at, self._explored_at)
        if blind_s < (_AGAIN_S if self._link.is_jumping else self._explore_s):
            return  # before anything is weighed: this is asked after each frame
        conditions = self._seen.conditions()
        scout = self._scout(conditions)
        if scout is None:
            return
        size = predict(scout, conditions).frame_bytes
        if blind_s >= size / conditions.link.bytes_per_s / _SHARE_OF_LINK:
            self._explored_at = now
            self._next_shadow = self._plans[scout]

    def _scout(self, conditions: Conditions) -> Option | None:
        """The smallest frame that tells the throughput, if any could be better than the plan in force on a better link."""
        usable = self._usable()
        fast = replace(conditions, link=replace(conditions.link, bytes_per_s=math.inf))
        if choose(usable, fast, self._objective) is self._option:
            return None
        away = [option for option in usable if not option.is_local]
        sizes = {option: predict(option, conditions).frame_bytes for option in away}
        telling = [option for option in away if sizes[option] >= TELLING_BYTES]
        return min(telling or away, key=lambda option: sizes[option])

    def _usable(self) -> list[Option]:
        """All, but for those whose profile is still on its way; all again where no other is left."""
        usable = [option for option, plan in self._plans.items() if self._can_decode(plan.profile)]
        return usable or list(self._plans)
