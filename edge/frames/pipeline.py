"""The way of a frame through the edge, on one page.

capture ─► preprocess ─► head ─► encode ─► send ─► deliver
(a thread each, a bounded queue between any two)   (tasks: `_consume`, several at once)
                  (with the pilot's │        └─► edge/frames/answering.py: the cloud, or if it does not answer the tail, here
                  plan of the moment)└─► the answer to an earlier frame, if the scene stands still
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import TYPE_CHECKING

from edge.frames.answering import Answering
from edge.frames.handover import Handover
from edge.frames.job import Job
from edge.frames.queues import BoundedQueue
from edge.frames.step import Step
from edge.frames.stillness import Stillness
from edge.uplink.circuit import State
from shared.codecs import encode_frame
from shared.errors import SourceError, WireError
from shared.observing.telemetry import Stopwatch
from shared.wire import frame as wire

if TYPE_CHECKING:
    from edge.config import EdgeSettings
    from edge.frames.preprocess import Preprocess
    from edge.metrics import EdgeMetrics
    from edge.output.results import Results
    from edge.planning.pilot import Pilots
    from edge.planning.plan import Plan
    from edge.sources.base import Source
    from edge.uplink.uplink import Uplink
    from shared.network.model import ModelInfo
    from shared.tasks.classify import TopClass

_log = logging.getLogger(__name__)

_LAST_READ_S = 2.0


class Pipeline:
    """Runs one source to its end. Every frame read is answered once, in order, or counted as dropped."""

    def __init__(
        self,
        settings: EdgeSettings,
        model: ModelInfo,
        pilot: Pilots,
        preprocess: Preprocess,
        source: Source,
        uplink: Uplink,
        results: Results,
        metrics: EdgeMetrics,
        session: int,
    ) -> None:
        """`session` (32 bits) makes frame ids of several runs and edges differ."""
        self._settings = settings
        self._model = model
        self._pilot = pilot
        self._preprocess = preprocess
        self._source = source
        self._uplink = uplink
        self._results = results
        self._metrics = metrics
        self._session = session
        self._answering = Answering(
            model, uplink, pilot, metrics, top=settings.top, deadline_s=settings.deadline_s
        )
        depth, size = metrics.queue_depth, settings.queue_size
        self._captured: BoundedQueue[Job] = BoundedQueue(
            size, depth.labels(queue="capture"), drop_oldest=source.live
        )
        # One frame ahead is enough to keep a step busy; more would only make frames older.
        self._prepared: BoundedQueue[Job] = BoundedQueue(1, depth.labels(queue="head"), drop_oldest=False)
        self._crossed: BoundedQueue[Job] = BoundedQueue(1, depth.labels(queue="encode"), drop_oldest=False)
        for queue, capacity in {"capture": size, "head": 1, "encode": 1, "send": size}.items():
            metrics.queue_capacity.labels(queue=queue).set(capacity)
        self._stopping = threading.Event()
        self._aborted = threading.Event()
        self._lost: SourceError | None = None
        self._sequence = 0
        self._stillness: dict[tuple[str, str], Stillness] = {}
        self.dropped = 0

    async def run(self) -> None:
        """Until the source ends or `stop` is called. Raises SourceError if the source broke down."""
        self._loop = asyncio.get_running_loop()
        encoded: Handover[Job] = Handover(self._settings.queue_size, self._loop, self._aborted.is_set)
        self._metrics.queue_depth.labels(queue="send").set_function(encoded.depth)
        capture = threading.Thread(target=self._capture, name="capture", daemon=True)
        steps = [
            Step("preprocess", self._captured.get, self._run_preprocess, self._prepared),
            Step("head", self._prepared.get, self._run_head, self._crossed),
            Step("encode", self._crossed.get, self._run_encode, encoded),
        ]
        capture.start()
        for step in steps:
            step.start()
        consumers = [asyncio.create_task(self._consume(encoded)) for _ in range(self._settings.in_flight)]
        try:
            await asyncio.gather(*consumers)
        finally:  # after a failure too, nobody goes on: the source may be closed now, and the records are complete
            self.stop()
            self._aborted.set()
            for queue in (self._captured, self._prepared, self._crossed):
                queue.close()
            for consumer in consumers:
                consumer.cancel()
            await asyncio.gather(*consumers, return_exceptions=True)
            for step in steps:
                await asyncio.to_thread(step.join)
            await asyncio.to_thread(capture.join, _LAST_READ_S)
            await self._answering.close()
        if self._lost:
            raise self._lost

    def stop(self) -> None:
        """Read no more frames; those already read are still answered."""
        self._stopping.set()
        if self._source.live:  # it may be long until the next frame; a lossless reader ends by itself
            self._captured.close()

    def _capture(self) -> None:
        limit = self._settings.frames
        number = 0
        try:
            while not self._stopping.is_set() and (not limit or number < limit):
                watch = Stopwatch(self._metrics.steps, self._metrics.step_cpu)
                with watch.step("capture"):
                    picture = self._source.read()
                if picture is None:
                    break
                self._metrics.last_frame_timestamp.set_to_current_time()
                now = time.monotonic()
                frame_id = self._session << 32 | number & 0xFFFFFFFF
                job = Job(number, frame_id, now, time.time_ns(), watch, picture, queued=now)
                dropped = self._captured.put(job)
                self.dropped += dropped
                self._metrics.frames.labels(outcome="dropped").inc(dropped)
                number += 1
        except SourceError as error:
            self._lost = error
        except Exception as error:  # noqa: BLE001 - a thread's exception would be lost; it ends the run as this one
            _log.exception("reading the source failed")
            self._lost = SourceError(f"{self._source.name}: {error}")
        finally:
            self._captured.close()

    def _run_preprocess(self, job: Job) -> None:
        assert job.picture is not None
        job.sequence = self._sequence
        self._sequence += 1
        with job.watch.step("preprocess"):
            picture = self._preprocess(job.picture)
            job.picture = self._preprocess.outgoing(job.picture, picture)
            job.tensor = self._model.recipe.normalise(picture)[None]

    def _run_head(self, job: Job) -> None:
        job.plan, job.shadow = self._pilot.take()
        if job.tensor is None:
            return
        with job.watch.step("head"):
            job.crossing = job.plan.head(job.tensor)
        job.tensor = None

    def _run_encode(self, job: Job) -> None:
        plan, codec = job.plan, job.plan.codec
        picture, job.picture = job.picture, None  # the camera's own is large, and no more needed
        if codec is None or job.crossing is None or picture is None:
            return
        stillness = self._stillness_of(plan)
        if stillness.holds(job):
            return
        if self._uplink.circuit.state is State.OPEN:  # nothing will be sent
            job.fallback = "circuit_open"
            return
        job.fallback = "encode"  # unless it comes to be
        with job.watch.step("encode"):
            try:
                frame = encode_frame(
                    picture if codec.carries == "picture" else job.crossing[0],
                    codec,
                    split_point=plan.split_point.name,
                    fingerprint=self._model.fingerprint,
                    frame_id=job.frame_id,
                    capture_time_ns=job.captured_ns,
                    deadline_ms=max(1, round(1e3 * self._settings.deadline_s)),  # 0 is no limit of ours
                )
                job.frame = wire.pack(frame)
            except WireError as error:
                _log.warning("frame %d cannot travel as %s: %s", job.number, codec.name, error)
                return
        job.fallback = None
        stillness.sending(job)
        job.payload_bytes = len(frame.payload)
        self._metrics.payload_bytes.labels(codec=codec.name).observe(job.payload_bytes)

    def _stillness_of(self, plan: Plan) -> Stillness:
        """Each plan's frames are compared with that plan's frames only."""
        key = plan.split_point.name, plan.label
        if key not in self._stillness:
            self._stillness[key] = Stillness(plan.codec, self._settings.still_threshold)
        return self._stillness[key]

    async def _consume(self, encoded: Handover[Job]) -> None:
        while (job := await encoded.get()) is not None:
            job.watch.note("wait_uplink", time.monotonic() - job.queued)
            top, answered_by = await self._answering.answer(job)
            self._deliver(job, top, answered_by)

    def _deliver(self, job: Job, top: list[TopClass], answered_by: str) -> None:
        latency_s = time.monotonic() - job.captured
        if answered_by != "still":  # which says nothing of how fast anything is
            self._metrics.latency.observe(latency_s)
            self._pilot.delivered(job, latency_s)
        self._metrics.frames.labels(outcome="failed" if answered_by == "nobody" else answered_by).inc()
        self._results.accept(job.sequence, job.record(top, answered_by, latency_s))
