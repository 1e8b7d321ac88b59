"""One run of the real edge pipeline in this process, over an emulated link: with a pinned plan, or with the planner.

A slower edge sleeps after all that it computes, by a declared factor, so that the cores stay free for the cloud.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import math
import statistics
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from edge.cameras.camera import Camera
from edge.cameras.file import read_cameras
from edge.cameras.metrics import CameraMetrics
from edge.frames.pipeline import Pipeline
from edge.frames.way import Edition, Editions
from edge.metrics import DEFAULT_CAMERA, EdgeMetrics
from edge.planning.pace import Pace
from edge.planning.pilot import PlannedPilot
from edge.planning.plan_metrics import PlanMetrics
from edge.sources.base import Shot
from edge.uplink.line import Line, trust_of
from edge.uplink.uplink import Uplink
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edge.config import EdgeSettings
    from edge.frames.way import Pilot
    from edge.output.results import Record
    from edge.planning.costs.tail_times import TailTimes
    from edge.planning.plan import Plan
    from shared.network.model import Model

WARM, FILLING = 2, 2
"""Frames that are not counted: connections are made, caches filled; and more where queues fill."""


class Pictures:
    """A source that repeats the same frames: at once, or each after the previous one is answered."""

    live = False
    name = "pictures"

    def __init__(self, frames: Sequence[NDArray[np.uint8]], *, one_by_one: bool) -> None:
        self._frames = frames
        self._may_go = threading.Semaphore(1) if one_by_one else None
        self.given = 0
        self.until = float("inf")
        """In monotonic seconds; no frame is given after this time."""

    def open(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to close."""

    def read(self) -> Shot | None:
        if self._may_go:
            self._may_go.acquire()
        if time.monotonic() >= self.until:
            return None
        number, self.given = self.given, self.given + 1
        return Shot(self._frames[number % len(self._frames)], number)

    def answered(self, _record: Record) -> None:
        """The next frame may go."""
        if self._may_go:
            self._may_go.release()


@dataclass
class Flight:
    """The result of one run."""

    records: list[Record] = field(default_factory=list)
    arrived: list[float] = field(default_factory=list)
    metrics: EdgeMetrics = field(default_factory=EdgeMetrics)
    pilot: Any = None
    unanswered: int = 0
    """Frames that were read and have no record."""

    def take(self, record: Record) -> None:
        self.records.append(record)
        self.arrived.append(time.monotonic())

    def value_ms(self, *, by_latency: bool) -> float:
        """Over the counted frames: the median latency without the edge's own queues, or the mean time between two of them.

        Infinite where time was over before two were counted.
        """
        if len(self.records) <= WARM + (0 if by_latency else FILLING + 1):
            return math.inf
        if by_latency:
            return statistics.median(
                each.latency_ms - sum(ms for name, ms in each.stages_ms.items() if name.startswith("wait_"))
                for each in self.records[WARM:]
            )
        arrived = self.arrived[WARM + FILLING :]
        return 1e3 * (arrived[-1] - arrived[0]) / max(1, len(arrived) - 1)


@dataclass(frozen=True)
class Cockpit:
    """Everything that a run needs besides a pilot."""

    settings: EdgeSettings
    model: Model
    plans: Sequence[Plan]
    """With their measurements on this edge, slowed as it is."""
    frames: Sequence[NDArray[np.uint8]]
    preprocess: Any

    def slowed(self, factor: float) -> Cockpit:
        """The same on a slower edge."""

        class Slow:
            __call__ = staticmethod(slowed(self.preprocess, factor))
            outgoing = staticmethod(self.preprocess.outgoing)

        plans = [slow_plan(plan, factor) for plan in self.plans]
        return replace(self, plans=plans, preprocess=Slow())

    @contextlib.asynccontextmanager
    async def uplink(self, metrics: EdgeMetrics) -> AsyncIterator[Uplink]:
        """A way to the cloud that has been greeted, and has the profiles."""
        settings, profiles = self.settings, [plan.profile for plan in self.plans if plan.profile]
        line = Line(
            settings.cloud_url,
            metrics,
            in_flight=settings.in_flight,
            deadline_s=settings.deadline_s,
            tls=trust_of(settings, metrics),
        )
        async with line:
            wanted = Wanted(settings.top)
            uplink = Uplink(
                line, self.model, make_task(self.model, wanted), metrics, wanted=wanted, profiles=profiles
            )
            line.probe_with(uplink.greet)
            try:
                await uplink.check()
                yield uplink
            finally:
                await uplink.close()

    def planned(
        self,
        times: TailTimes,
        kind: type[PlannedPilot] = PlannedPilot,
        told: Callable[[EdgeMetrics], PlanMetrics] = PlanMetrics,
    ) -> Callable[[Uplink, EdgeMetrics], PlannedPilot]:
        """For `fly`: the planner, which chooses among all plans. `told` makes what it tells of them."""

        def make_pilot(uplink: Uplink, metrics: EdgeMetrics) -> PlannedPilot:
            pilot = kind(self.settings, self.plans, uplink, told(metrics), pace=Pace({DEFAULT_CAMERA: False}))
            pilot.take_tail_times(times)
            return pilot

        return make_pilot

    def fly(
        self,
        make_pilot: Callable[[Uplink, EdgeMetrics], Pilot],
        *,
        one_by_one: bool,
        frames: int,
        seconds: float,
    ) -> Flight:
        """Frames until there are so many, or so many seconds are over; `frames` come on top of those not counted."""
        flight, source = Flight(), Pictures(self.frames, one_by_one=one_by_one)
        settings = self.settings.model_copy(update={"frames": frames + WARM + (0 if one_by_one else FILLING)})

        async def play() -> None:
            async with self.uplink(flight.metrics) as uplink:
                flight.pilot = make_pilot(uplink, flight.metrics)
                task = make_task(self.model, Wanted(settings.top))
                edition = Edition(self.model, task, self.preprocess, flight.pilot, uplink)
                (camera_settings,) = read_cameras(settings)
                told = CameraMetrics(flight.metrics, camera_settings.name)
                sinks = [flight.take, source.answered]
                pipeline = Pipeline(
                    [Camera(camera_settings, source, sinks, told, session=1)],
                    Editions({camera_settings.name: edition}),
                    uplink.circuit,
                    flight.metrics,
                    in_flight=settings.in_flight,
                    pace=Pace({camera_settings.name: False}),
                )
                source.until = time.monotonic() + seconds
                await pipeline.run()

        asyncio.run(play())
        flight.unanswered = source.given - len(flight.records)
        return flight


def slow_plan(plan: Plan, factor: float) -> Plan:
    """The same plan on a slower edge, with its measurements scaled alike. The edge's own tail is slower, too."""
    codec, option = copy.copy(plan.codec), plan.option
    if codec is not None:
        object.__setattr__(codec, "encode", slowed(codec.encode, factor))
    if option is not None:
        option = replace(option, head_s=option.head_s * factor, encode_s=option.encode_s * factor)
    return replace(
        plan, codec=codec, option=option, head=slowed(plan.head, factor), tail=slowed(plan.tail, factor)
    )


def slowed(function: Callable[..., Any], factor: float) -> Callable[..., Any]:
    """Takes `factor` times as long."""
    if factor == 1:
        return function

    def run(*arguments: Any) -> Any:
        start = time.perf_counter()
        result = function(*arguments)
        time.sleep((factor - 1) * (time.perf_counter() - start))
        return result

    return run
