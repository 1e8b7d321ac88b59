"""The way of a frame through the edge, on one page.

capture ─► preprocess ─► head ─► encode ─► send ─► deliver
(a thread each, a bounded queue between any two)   (tasks: `_consume`, several at once)
    │         (with the pilot's     │        └─► edge/frames/answering.py: the cloud, or the tail on this machine
    │          plan of the moment)  └─► if the scene stands still, the answer to an earlier frame is repeated
    └─ from here on the frame belongs to one edition of the network, whatever is taken meanwhile
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from edge.frames.answering import Answering
from edge.frames.origin import Origin
from edge.frames.queues import BoundedQueue, Handover, Step
from edge.frames.stillness import Stillness
from edge.frames.way import Captured, Crossed, Encoded, Prepared
from edge.output.results import Results, record_of
from shared.codecs import encode_frame
from shared.errors import SourceError, WireError
from shared.observing.telemetry import Stopwatch
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge.config import EdgeSettings
    from edge.frames.answering import Circuit
    from edge.frames.way import Crossing, Editions, Outcome, Source
    from edge.metrics import EdgeMetrics
    from edge.output.results import Record
    from edge.planning.plan import Plan
    from shared.codecs.base import Codec

_log = logging.getLogger(__name__)

_LAST_READ_S = 2.0


class Pipeline:
    """Plays one source to its end. Every frame read is answered once, in order, or counted as dropped."""

    def __init__(
        self,
        settings: EdgeSettings,
        editions: Editions,
        circuit: Circuit,
        source: Source,
        sinks: Sequence[Callable[[Record], None]],
        metrics: EdgeMetrics,
        session: int,
    ) -> None:
        """`sinks` receive each record; `session` (32 bits) makes frame ids unique across runs and edges."""
        self._settings = settings
        self._editions = editions
        self._circuit = circuit
        self._source = source
        self._results = Results(sinks)
        self._metrics = metrics
        self._session = session
        self._answering = Answering(
            circuit, metrics.fallbacks, metrics.explorations, deadline_s=settings.deadline_s
        )
        depth, size, live = metrics.queue_depth, settings.queue_size, source.live
        self._captured = BoundedQueue[Captured](size, depth.labels(queue="capture"), drop_oldest=live)
        # One frame ahead is enough to keep a step busy; more would only make frames older.
        self._prepared = BoundedQueue[Prepared](1, depth.labels(queue="head"))
        self._crossed = BoundedQueue[Crossed](1, depth.labels(queue="encode"))
        for queue, capacity in {"capture": size, "head": 1, "encode": 1, "send": size}.items():
            metrics.queue_capacity.labels(queue=queue).set(capacity)
        self._stopping = threading.Event()
        self._aborted = threading.Event()
        self._lost: SourceError | None = None
        self._sequence = itertools.count()
        self._stillness: WeakKeyDictionary[Plan, Stillness] = WeakKeyDictionary()
        self.dropped = 0

    async def run(self) -> None:
        """Play until the source ends or `stop` is called. Raises SourceError if the source broke down."""
        loop = asyncio.get_running_loop()
        encoded = Handover[Encoded](self._settings.queue_size, loop, self._aborted.is_set)
        self._metrics.queue_depth.labels(queue="send").set_function(encoded.depth)
        capture = threading.Thread(target=self._capture, name="capture", daemon=True)
        steps: list[Step[Any, Any]] = [
            Step("preprocess", self._captured.get, self._prepare, self._prepared),
            Step("head", self._prepared.get, self._cross, self._crossed),
            Step("encode", self._crossed.get, self._encode, encoded),
        ]
        capture.start()
        for step in steps:
            step.start()
        consumers = [asyncio.create_task(self._consume(encoded)) for _ in range(self._settings.in_flight)]
        try:
            await asyncio.gather(*consumers)
        finally:  # after a failure too, nothing keeps running: the source may be closed now, and the records are complete
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
        if self._source.live:  # the next frame may be a long time coming; a lossless reader ends by itself
            self._captured.close()

    def _capture(self) -> None:
        limit, number = self._settings.frames, 0
        try:
            while not self._stopping.is_set() and (not limit or number < limit):
                watch = Stopwatch(self._metrics.steps, self._metrics.step_cpu)
                with watch.step("capture"):
                    shot = self._source.read()
                if shot is None:
                    break
                self._metrics.last_frame_timestamp.set_to_current_time()
                self._metrics.unseen.discard(self._settings.name)
                origin = Origin(
                    number=shot.number,
                    frame_id=self._session << 32 | number & 0xFFFFFFFF,
                    captured_s=time.monotonic(),
                    captured_ns=time.time_ns(),
                    size=(shot.picture.shape[0], shot.picture.shape[1]),
                    camera=self._settings.name,
                    source=self._source.name,
                    file=shot.file,
                    media_time_s=shot.media_time_s,
                    damaged=shot.damaged,
                    watch=watch,
                )
                dropped = self._captured.put(Captured(origin, shot.picture, queued_s=origin.captured_s))
                self.dropped += dropped
                self._metrics.frames.labels(outcome="dropped").inc(dropped)
                number += 1
        except SourceError as error:
            self._lost = error
        except Exception as error:  # noqa: BLE001 - a thread's exception would be lost; this one ends the run
            _log.exception("reading the source failed")
            self._lost = SourceError(f"{self._source.name}: {error}")
        finally:
            self._captured.close()

    def _prepare(self, frame: Captured) -> Prepared:
        edition, tensor, outgoing = self._editions.current, None, None
        with frame.step("preprocess"), frame.origin.watch.step("preprocess"):
            picture = edition.preprocess(frame.picture)
            outgoing = edition.preprocess.outgoing(frame.picture, picture)
            tensor = edition.model.recipe.normalise(picture)[None]
        return Prepared(frame.origin, edition, tensor, outgoing)

    def _cross(self, frame: Prepared) -> Crossed:
        crossing: Crossing = ()
        plan, explores = frame.edition.pilot.take()
        with frame.step("head"):
            if frame.tensor is not None:
                with frame.origin.watch.step("head"):
                    crossing = plan.head((frame.tensor,))
                shapes = [each.shape for each in crossing]
                if shapes != [(1, *shape) for shape in plan.split_point.shapes]:
                    _log.warning(
                        "the head step failed on frame %d: it gave tensors of %s, and at %s there are %s for each frame",
                        frame.origin.number, shapes, plan.split_point.name, list(plan.split_point.shapes),
                    )  # fmt: skip
                    crossing = ()
        return Crossed(frame.origin, frame.edition, plan, explores, crossing, frame.picture)

    def _encode(self, frame: Crossed) -> Encoded:
        form = partial(Encoded, frame.origin, frame.edition, frame.plan, frame.explores, frame.crossing)
        with frame.step("encode"):
            if frame.plan.codec is None or not frame.crossing or frame.picture is None:
                return form()
            stillness, tensors = self._stillness_of(frame.plan), [each[0] for each in frame.crossing]
            repeats, changed = stillness.compare(tensors, frame.origin)
            if repeats:
                return form(repeats=repeats, changed=changed)
            if self._circuit.is_open:  # nothing will be sent
                return form(withheld="circuit_open", changed=changed)
            sent = [frame.picture] if frame.plan.codec.carries == "picture" else tensors
            packed, size = self._pack(frame, frame.plan.codec, sent)
            if packed is None:
                return form(withheld="encode", changed=changed)
            pending = stillness.sending(tensors, frame.origin)
            self._metrics.payload_bytes.labels(codec=frame.plan.codec.name).observe(size)
            return form(packed, size, pending=pending, changed=changed)
        return form()

    def _stillness_of(self, plan: Plan) -> Stillness:
        """Each plan's frames are compared with that plan's frames only; another edition has other plans."""
        if plan not in self._stillness:
            self._stillness[plan] = Stillness(plan.codec, self._settings.still_threshold)
        return self._stillness[plan]

    def _pack(self, crossed: Crossed, codec: Codec, sent: Sequence[NDArray[Any]]) -> tuple[bytes | None, int]:
        """The frame for the wire and the size of its payloads; None if the codec does not take it."""
        origin = crossed.origin
        try:
            with origin.watch.step("encode"):
                frame = encode_frame(
                    sent,
                    codec,
                    split_point=crossed.plan.split_point.name,
                    fingerprint=crossed.edition.model.fingerprint,
                    frame_id=origin.frame_id,
                    capture_time_ns=origin.captured_ns,
                    deadline_ms=max(1, round(1e3 * self._settings.deadline_s)),  # 0 would be no limit
                )
                return wire.pack(frame), frame.payload_bytes
        except WireError as error:
            _log.warning("frame %d cannot travel as %s: %s", origin.number, codec.name, error)
        except Exception:  # noqa: BLE001 - the edge answers this frame, the others go on
            _log.exception("the encode step failed on frame %d", origin.number)
        return None, 0

    async def _consume(self, encoded: Handover[Encoded]) -> None:
        while (frame := await encoded.get()) is not None:
            sequence = next(self._sequence)  # in the order of the queue, as nothing was awaited since
            frame.origin.watch.note("wait_uplink", time.monotonic() - frame.queued_s)
            self._deliver(sequence, await self._answering.answer(frame))

    def _deliver(self, sequence: int, outcome: Outcome) -> None:
        latency_s = time.monotonic() - outcome.encoded.origin.captured_s
        if outcome.answered_by != "still":  # which says nothing of how fast anything is
            self._metrics.latency.observe(latency_s)
            outcome.encoded.edition.pilot.delivered(outcome, latency_s)
        failed = outcome.answered_by == "nobody"
        self._metrics.frames.labels(outcome="failed" if failed else outcome.answered_by).inc()
        self._results.accept(sequence, record_of(outcome, latency_s))
