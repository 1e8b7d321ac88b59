"""The way of a frame through the edge, on one page.

capture ─► preprocess ─► head ─► encode ─► send ─► deliver
    │       (a thread each, of heads as many as run at once,   (a task for each frame, several at once)
    │        a bounded queue between any two)
    │       │     (with the pilot's     │     └─► edge/frames/answering.py: the cloud, or the tail on this machine
    │       │      plan of the moment)  └─► if the scene stands still, the answer to an earlier frame is repeated
    │       └─ from here on the frame belongs to one edition of the network, whatever is taken meanwhile
    └─ edge/cameras/camera.py, a thread for each camera; all that comes after serves them in turn
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from edge.frames.allowance import Allowance
from edge.frames.answering import Answering
from edge.frames.encoder import Encoder
from edge.frames.intake import Intake
from edge.frames.outbox import Outbox
from edge.frames.queues import BoundedQueue, Step
from edge.frames.way import Captured, Crossed, Encoded, Prepared
from edge.output.results import record_of
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.cameras.camera import Camera
    from edge.frames.answering import Circuit
    from edge.frames.verifying import Verifier
    from edge.frames.way import Crossing, Editions
    from edge.metrics import EdgeMetrics
    from edge.planning.pace import Pace
    from edge.planning.plan import Plan

_log = logging.getLogger(__name__)

_LAST_READ_S = 2.0
_BETWEEN = 5
"""Frames of one camera between its queue and the uplink, beside those that may wait for the uplink: one in each of the three steps, where
one head runs at a time, and one between any two."""


class Pipeline:
    """Plays cameras to their ends. Every frame taken is answered once, in its camera's order, or counted as dropped.

    No camera waits for another: each has a place among the frames under way, and a slot to be answered in, that is its own.
    """

    def __init__(
        self,
        cameras: Sequence[Camera],
        editions: Editions,
        circuit: Circuit,
        metrics: EdgeMetrics,
        *,
        in_flight: int,
        heads: int = 1,
        pace: Pace,
        verifier: Verifier | None = None,
        look: Callable[[Captured], None] | None = None,
    ) -> None:
        """`in_flight`: how many requests may be under way at once. Each camera but one has one more of its own. `heads`, and tails of the
        edge, run at once, each of another frame.

        `pace` is told when frames came, for the planner; `verifier` sees the cloud's answers, and is closed at the end; `look` is given
        each frame before it is prepared, on that thread, and does not raise.
        """
        self._cameras = {camera.name: camera for camera in cameras}
        self._editions = editions
        self._circuit = circuit
        self._pace = pace
        self._look = look
        self._metrics = metrics
        self._answering = Answering(
            circuit,
            metrics.fallbacks,
            metrics.explorations,
            verifier,
            self._settle,
            tails=heads,
        )
        depth, size = metrics.queue_depth, max(camera.settings.queue_size for camera in cameras)
        self._slots = Allowance(in_flight - 1)
        self._heads = heads
        between = _BETWEEN + heads - 1
        self._intake = Intake[Captured](
            {camera.name: (camera.settings.queue_size, camera.live) for camera in cameras},
            Allowance(size + between - 1),
            depth.labels(queue="capture"),
        )
        # One frame ahead is enough to keep a step busy; more would only make frames older.
        self._prepared = BoundedQueue[Prepared](1, depth.labels(queue="head"))
        self._crossed = BoundedQueue[Crossed](1, depth.labels(queue="encode"))
        waiting = sum(camera.settings.queue_size for camera in cameras)
        to_send = size + between + len(cameras) - 1
        for queue, capacity in {"capture": waiting, "head": 1, "encode": 1, "send": to_send}.items():
            metrics.queue_capacity.labels(queue=queue).set(capacity)

    async def run(self) -> None:
        """Play until every source has ended or `stop` is called. Raises SourceError if one of them broke down."""
        loop = asyncio.get_running_loop()
        outbox = Outbox[Encoded](loop, self._slots, lambda frame: frame.origin.camera)
        self._metrics.queue_depth.labels(queue="send").set_function(outbox.depth)
        steps: list[Step[Any, Any]] = [
            Step("preprocess", self._intake.get, self._prepare, self._prepared),
            Step("head", self._planned, self._cross, self._crossed, workers=self._heads),
            Step("encode", self._crossed.get, Encoder(self._cameras, self._circuit, self._metrics), outbox),
        ]
        for camera in self._cameras.values():
            camera.start(self._intake, partial(self._ended, loop), labelled=len(self._cameras) > 1)
        for step in steps:
            step.start()
        try:
            await self._answer_all(outbox)
        finally:  # after a failure too, nothing keeps running: the sources may be closed now, and the records are complete
            self.stop()
            self._intake.give_up()
            for queue in (self._prepared, self._crossed):
                queue.close()
            for step in steps:
                await asyncio.to_thread(step.join)
            await asyncio.to_thread(self._join_cameras)
            await self._answering.close()
        self._raise_what_was_lost()

    def stop(self) -> None:
        """Read no more frames; those already read are still answered."""
        for camera in self._cameras.values():
            camera.stop()
            if camera.live:  # the next frame may be a long time coming; a lossless reader ends by itself
                self._intake.close(camera.name)

    def _join_cameras(self) -> None:
        until = time.monotonic() + _LAST_READ_S
        for camera in self._cameras.values():
            camera.join(max(0.0, until - time.monotonic()))

    def _ended(self, loop: asyncio.AbstractEventLoop, camera: Camera) -> None:
        """Tell people, from the camera's thread, of which the log lines say whose they are; of the only one the run's end tells."""
        with contextlib.suppress(RuntimeError):  # a read that hung ended after the loop
            loop.call_soon_threadsafe(self._pace.ended, camera.name)
        if len(self._cameras) > 1 and camera.lost:
            _log.error("it has broken down, the others go on: %s", camera.lost)
        elif len(self._cameras) > 1:
            _log.info("it has ended")

    def _raise_what_was_lost(self) -> None:
        lost = {camera.name: camera.lost for camera in self._cameras.values() if camera.lost}
        if len(self._cameras) == 1:
            for error in lost.values():
                raise error
        if lost:
            raise SourceError("\n".join(f"camera {name}: {error}" for name, error in lost.items()))

    def _settle(self, size: int) -> None:
        self._metrics.wire.budget.settle(size)

    def _prepare(self, frame: Captured) -> Prepared:
        if self._look:
            self._look(frame)
        edition, tensor, outgoing = self._editions.of(frame.origin.camera), None, None
        with frame.step("preprocess"), frame.origin.watch.step("preprocess"):
            picture = edition.preprocess(frame.picture)
            outgoing = edition.preprocess.outgoing(frame.picture, picture)
            tensor = edition.model.recipe.normalise(picture)[None]
        own = frame.own
        if own and (outgoing is None or not edition.preprocess.is_own(frame.picture, outgoing)):
            own = None  # it would show what this picture does not
        return Prepared(frame.origin, edition, tensor, outgoing, own)

    def _planned(self) -> tuple[Prepared, Plan, bool] | None:
        """The next frame, and the pilot's plan for it: in the order of frames, whichever head is done first."""
        frame = self._prepared.get()
        return None if frame is None else (frame, *frame.edition.pilot.take())

    def _cross(self, planned: tuple[Prepared, Plan, bool]) -> Crossed:
        frame, plan, explores = planned
        crossing: Crossing = ()
        with frame.step("head"):
            if frame.tensor is not None:
                with frame.origin.watch.step("head"):
                    crossing = plan.head((frame.tensor,))
                shapes = [each.shape for each in crossing]
                if shapes != [(1, *shape) for shape in plan.split_point.shapes]:
                    _log.warning(
                        "the head step failed on %s: it gave tensors of %s, and at %s there are %s for each frame",
                        frame.origin, shapes, plan.split_point.name, list(plan.split_point.shapes),
                    )  # fmt: skip
                    crossing = ()
        return Crossed(frame.origin, frame.edition, plan, explores, crossing, frame.picture, frame.own)

    async def _answer_all(self, outbox: Outbox[Encoded]) -> None:
        """Answer every frame, each in a task of its own; returns after the last one. The first failure ends the others."""
        try:
            async with asyncio.TaskGroup() as answering:
                while (frame := await outbox.get()) is not None:
                    camera = self._cameras[frame.origin.camera]
                    self._intake.done(camera.name)
                    # Numbered in the order of the queue, as nothing is awaited since.
                    answering.create_task(self._answer(frame, camera, next(camera.sequence), outbox))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _answer(self, frame: Encoded, camera: Camera, sequence: int, outbox: Outbox[Encoded]) -> None:
        origin = frame.origin
        origin.watch.note("wait_uplink", time.monotonic() - frame.queued_s)
        self._pace.captured(origin.camera, origin.taken, origin.captured_s)
        outcome = await self._answering.answer(frame, camera.settings.deadline_s)
        outbox.done(camera.name)
        latency_s = time.monotonic() - origin.captured_s
        if outcome.answered_by != "still":  # which says nothing of how fast anything is
            camera.metrics.latency.observe(latency_s)
            frame.edition.pilot.delivered(outcome, latency_s)
        failed = outcome.answered_by == "nobody"
        camera.metrics.frames("failed" if failed else outcome.answered_by).inc()
        camera.results.accept(sequence, record_of(outcome, latency_s))
