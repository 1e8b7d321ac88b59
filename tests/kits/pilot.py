"""A pilot with nothing around it: plans, frames, a link and a clock that the test holds."""

from __future__ import annotations

import math
from types import SimpleNamespace

from kits.edge import settings_of
from kits.link import Clock
from kits.planner import FAST_CLOUD_S, LAYER3, MBIT, OUTPUT, PNG, RESNET50

from edge.metrics import DEFAULT_CAMERA, EdgeMetrics
from edge.planning.costs.tail_times import TailTimes
from edge.planning.pace import Pace
from edge.planning.pilot import PlannedPilot
from edge.planning.plan_metrics import PlanMetrics
from edge.planning.planner import Objective
from edge.uplink.circuit import Circuit
from edge.uplink.link import SEGMENT_BYTES, Link


def plan_of(which):
    """As much of a plan as the pilot looks at."""
    return SimpleNamespace(
        split_point=SimpleNamespace(name=which.split_point),
        label=which.codec or "none",
        option=which,
        codec=None,
    )


def outcome_of(plan, number=0, captured_s=0.0, fallback=None, size=None, keyframe=True, **seconds):
    """As much as the pilot looks at of a frame that went that way; `seconds` by step.

    Without a size, the frame has as many bytes as were surveyed.
    """
    size = round(plan.option.frame_bytes) if size is None and plan.option else size
    watch = SimpleNamespace(seconds=seconds)
    return SimpleNamespace(
        encoded=SimpleNamespace(
            origin=SimpleNamespace(number=number, captured_s=captured_s, watch=watch),
            plan=plan,
            payload_bytes=size or 0,
            keyframe=keyframe,
        ),
        fallback=fallback,
    )


class _Carrying:
    """An uplink that also says how it carries frames, as `wire` has it at the moment."""

    def __init__(self, uplink, wire):
        self._uplink, self._wire = uplink, wire

    def __getattr__(self, name):
        return getattr(self._wire if hasattr(self._wire, name) else self._uplink, name)


class Flight:
    """A pilot over some options, whose link and clock the test holds."""

    def __init__(self, options=RESNET50, objective=None, *, bytes_per_s=None, explore_s=0.5, **changes):
        self.clock = Clock()
        self.metrics = EdgeMetrics()
        self.link = Link(self.clock)
        self.circuit = Circuit(self.metrics.circuit_state, self.clock)
        self.plans = {each: plan_of(each) for each in options}
        objective = objective or Objective(min_agreement=0.95)
        settings = settings_of(
            objective=objective.kind,
            min_agreement=objective.min_agreement,
            max_latency=0.0 if math.isinf(objective.max_latency_s) else objective.max_latency_s,
            in_flight=1,
            explore_s=explore_s,
        )
        wire = changes.pop("wire", None)
        can_answer = changes.pop("can_answer", lambda *_: True)
        uplink = SimpleNamespace(link=self.link, circuit=self.circuit, can_answer=can_answer)
        if wire:
            uplink = _Carrying(uplink, wire)
        self.pilot = PlannedPilot(
            settings,
            self.plans.values(),
            uplink,
            PlanMetrics(self.metrics),
            pace=Pace({DEFAULT_CAMERA: False}),
            clock=self.clock,
        )
        assert not changes
        if bytes_per_s:
            self.tell(bytes_per_s)

    @property
    def option(self):
        return self.pilot._option

    @property
    def plan(self):
        return self.plans[self.option]

    def tell(self, bytes_per_s, times=1, round_trip_s=0.005, size=40_000):
        """Frames that take as long as this link would have them."""
        for _ in range(times):
            number, receive_s = self.link.sent(size), (size - SEGMENT_BYTES) / bytes_per_s
            self.clock.now += receive_s + round_trip_s
            self.link.answered(number, receive_s=receive_s, computing_s=0.0, fresh=False)

    def answer(self, times=1):
        """The plan's own frames are answered, as fast as the planner thinks they are."""
        for _ in range(times):
            computing_ms = 1e3 * self.pilot._seen.conditions().computing_s(self.option)
            self.pilot.answered(self.plan, {"tail": computing_ms})

    def deliver(self, latency_s=0.03, **seconds):
        """`seconds` by step, and what else `outcome_of` takes."""
        self.pilot.delivered(outcome_of(self.plan, captured_s=self.clock.now, **seconds), latency_s)


FAST_CLOUD = TailTimes(FAST_CLOUD_S, {})


def away(**changes):
    """A pilot that sends pictures: of a slow edge, on a fast link, to a fast cloud."""
    flight = Flight([PNG, LAYER3, OUTPUT], bytes_per_s=100 * MBIT, **changes)
    flight.pilot.take_tail_times(FAST_CLOUD)
    assert flight.option is PNG
    return flight


def local(options=(PNG, LAYER3, OUTPUT), bytes_per_s=1 * MBIT, **changes):
    """One that answers here, though a faster link would change that."""
    flight = Flight(options, bytes_per_s=bytes_per_s, **changes)
    flight.pilot.take_tail_times(FAST_CLOUD)
    flight.clock.now += 10
    flight.answer()
    assert flight.option is OUTPUT
    return flight
