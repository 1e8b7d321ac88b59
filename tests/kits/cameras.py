"""Several cameras of one edge: a pipeline over sources and a cloud that do as they are told."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from kits.edge import FakeSource, FakeUplink, settings_of, value
from kits.tiny import plan_of, tiny_model

from edge.cameras.camera import Camera
from edge.cameras.metrics import CameraMetrics
from edge.cameras.settings import CameraSettings, inherited
from edge.frames.pipeline import Pipeline
from edge.frames.preprocess import Preprocess
from edge.frames.way import Edition, Editions
from edge.metrics import EdgeMetrics
from edge.planning.pace import Pace
from edge.planning.pinned import PinnedPilot
from edge.planning.plan_metrics import PlanMetrics
from shared.errors import UplinkError
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted
from shared.wire import frame as wire


def camera_of(name, **changes):
    """Its settings."""
    return CameraSettings.model_validate(inherited(settings_of()) | {"name": name} | changes)


class CamerasUplink(FakeUplink):
    """A cloud that knows whose frame it is; `outcomes[camera]` is a reason, or an Event that every frame waits for."""

    def __init__(self, sessions, outcomes):
        super().__init__()
        self.sessions, self.of_camera = sessions, outcomes
        self.under_way = defaultdict(int)
        self.most = 0
        self.asked = defaultdict(list)

    async def ask(self, data, profile=None):
        frame = wire.unpack(data)
        camera = self.sessions[frame.frame_id >> 32]
        self.asked[camera].append(frame)
        self.under_way[camera] += 1
        self.most = max(self.most, sum(self.under_way.values()))
        try:
            outcome = self.of_camera.get(camera)
            if isinstance(outcome, asyncio.Event):
                await outcome.wait()
            elif outcome:
                await asyncio.sleep(0)
                raise UplinkError(outcome, "as the test says")
            return await super().ask(data, profile)
        finally:
            self.under_way[camera] -= 1


class Cameras:
    """One edge with a camera for each source."""

    def __init__(
        self,
        sources,
        outcomes=(),
        *,
        sinks=(),
        in_flight=2,
        heads=1,
        split_point="relu",
        codec="float32",
        **own,
    ):
        """`sources` by camera, each a source or its items; `own`: settings by camera."""
        self.sources = {
            name: source if hasattr(source, "read") else FakeSource(source)
            for name, source in sources.items()
        }
        self.metrics = EdgeMetrics(list(sources))
        self.records = []
        model = tiny_model()
        sessions = {0xC0 + number: name for number, name in enumerate(sources)}
        self.uplink = CamerasUplink(sessions, dict(outcomes))
        plan = plan_of(model, split_point, codec)
        pilot = PinnedPilot(plan, PlanMetrics(self.metrics, list(sources)))
        task = make_task(model, Wanted(5))
        self.cameras = {
            name: Camera(
                camera_of(name, **own.get(name, {})),
                self.sources[name],
                [self.records.append, *sinks],
                CameraMetrics(self.metrics, name),
                session,
            )
            for session, name in sessions.items()
        }
        editions = {
            name: Edition(model, task, Preprocess(model.recipe), pilot, self.uplink) for name in sources
        }
        self.pipeline = Pipeline(
            list(self.cameras.values()),
            Editions(editions),
            self.uplink.circuit,
            self.metrics,
            in_flight=in_flight,
            heads=heads,
            pace=Pace({name: source.live for name, source in self.sources.items()}),
        )

    def to_end(self):
        asyncio.run(self.within())
        return self.of()

    async def within(self):
        before = asyncio.all_tasks()
        try:
            await asyncio.wait_for(self.pipeline.run(), 60)
        finally:
            assert asyncio.all_tasks() == before, "a task is left"

    def of(self):
        """The numbers of the frames in the records, by camera, in the records' order."""
        found = {name: [] for name in self.cameras}
        for each in self.records:
            found[each.camera].append(each.frame)
        return found

    def count(self, name, camera, **labels):
        return value(self.metrics, name, camera=camera, **labels)
