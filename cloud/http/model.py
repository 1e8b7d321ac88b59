"""The endpoints. `ModelHandler` is the way of a frame through the cloud, on one page."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from tornado.web import HTTPError

from cloud.bodies.frames import (
    Checked,
    Work,
    check_frame,
    decode_frame,
    is_to_resize,
    read_json,
    shapes_of,
    work_of,
)
from cloud.http.base import BodyHandler, Handler
from cloud.ledger import Entry
from cloud.lifecycle import State
from cloud.metrics import ENDPOINTS
from shared.errors import BodyError, ContentError, DeadlineError, MediaTypeError, UnavailableError
from shared.observing.telemetry import Stopwatch, computing, exposition
from shared.tasks.classify import top_classes
from shared.wire.frame import unpack
from shared.wire.http import CONTENT_TYPE, require_identity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cloud.service import Service

# "" and the form type: what clients send that set none, curl -d among them.
_JSON_TYPES = ("application/json", "text/json", "", "application/x-www-form-urlencoded")
_DEFAULT_TOP = 5
_LARGE_JSON_BYTES = 64 << 10
"""Parsing this much takes a millisecond, which is what other frames may be held up for."""


class ModelHandler(BodyHandler):
    """`GET /model` says what runs here; `POST /model` runs a tail, on a frame or on JSON."""

    def initialize(self, service: Service) -> None:
        super().initialize(service)
        self._watch = Stopwatch(service.metrics.steps, service.metrics.step_cpu)
        self._work: asyncio.Task[dict[str, Any] | bytes] | None = None
        self._active = self._gone = False
        self._large: Checked | None = None  # a picture that waits to be decoded and resized
        self._content_type = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        is_frame = self.request.method == "POST" and self._content_type == CONTENT_TYPE
        self._entry = Entry(service.ledger if is_frame else None)

    def get(self) -> None:
        self.service.lifecycle.require_ready()
        self.finish(self.service.describe())

    async def post(self) -> None:
        await self.complete()

    def admit(self) -> None:
        """The door."""
        self.service.lifecycle.require_ready()
        self.service.active += 1
        self._active = True
        require_identity(self.request.headers.get("Content-Encoding"))
        if self._content_type != CONTENT_TYPE and self._content_type not in _JSON_TYPES:
            raise MediaTypeError(
                f"Content-Type {self._content_type} is not supported",
                accepted=[CONTENT_TYPE, "application/json"],
            )
        self._top = self._read_top()
        self.service.batcher.require_place(self.request.remote_ip)

    async def respond(self) -> None:
        # A task of its own, because Tornado does not stop a handler whose client has gone; on_connection_close does.
        self._work = asyncio.create_task(self._answer())
        try:
            answer = await self._work
            self._entry.decide("answered")
            self.finish_sealed(answer) if isinstance(answer, dict) else self.finish(answer)
        except asyncio.CancelledError:
            if not self._gone:  # cancelled from below
                raise UnavailableError("the server is stopping; try again later") from None
            self._auto_finish = False  # Tornado would count an empty 200

    async def _answer(self) -> dict[str, Any] | bytes:
        """Receive -> decode -> queue -> tail -> top."""
        service, watch = self.service, self._watch
        watch.note("receive", self.elapsed_s())
        received = self.received()
        work = await self._read()
        if work.codec:
            service.metrics.payload_bytes.labels(codec=work.codec).observe(work.payload_bytes)
        # A client is one edge, or all at an address that send JSON.
        client = (self.request.remote_ip, work.frame_id >> 32)
        answer = await service.batcher.submit(
            work.split_point, work.tensors, self._remaining_s(work.deadline_ms), client
        )
        watch.note("queue", answer.queue_s)
        watch.note("tail", answer.tail_s)
        if not np.isfinite(answer.logits).all():
            raise ContentError("the network's answer to this tensor is not finite: its values are too large")
        if work.codec is None:
            self.set_header("Content-Type", "application/json; charset=UTF-8")
            return await service.in_pool(_json_answer, answer.logits, work.count)
        with watch.step("top"):
            top = top_classes(answer.logits[0], service.model.labels, self._top)
        return {
            "frame_id": work.frame_id,
            "split_point": work.split_point,
            "top": top,
            "stages_ms": watch.milliseconds(),
            "received": received,
        }

    async def _read(self) -> Work:
        start = time.perf_counter()
        try:
            if self._is_large_json():
                return await self._read_elsewhere()
            work = await self.service.in_pool(self._decode)
            if work is None:
                work = await self.service.in_picture_pool(self._decode_picture)
            return work
        finally:  # what was refused took its time as well
            self._watch.note("decode", time.perf_counter() - start)

    def _decode(self) -> Work | None:
        """None leaves a picture that is yet to be resized in `_large`: it takes longer, so tensors shall not wait for it."""
        service = self.service
        with computing(service.metrics.step_cpu, "decode"):
            if self._content_type == CONTENT_TYPE:
                frame = unpack(self.body)
                self._entry.note(frame)
                checked = check_frame(frame, service.model, service.partition, service.profiles)
                if not is_to_resize(checked, service.model):
                    return decode_frame(checked, service.model)
                self._large = checked
                return None
            return read_json(
                self.body, service.partition, service.default.name, service.settings.queue_capacity
            )

    def _decode_picture(self) -> Work:
        large = self._large
        if large is None or not self._remaining_s(
            large.frame.deadline_ms
        ):  # a caller that has gone, or soon will
            raise DeadlineError("the deadline passed before the picture was decoded")
        with computing(self.service.metrics.step_cpu, "decode"):
            return decode_frame(large, self.service.model)

    def _is_large_json(self) -> bool:
        return self._content_type != CONTENT_TYPE and self.size > _LARGE_JSON_BYTES

    async def _read_elsewhere(self) -> Work:
        service = self.service
        shapes, most = shapes_of(service.partition), service.settings.queue_capacity
        tensors = await service.json.read(
            self.pieces, shapes, service.default.name, most, self._remaining_s()
        )
        service.metrics.step_cpu.labels(stage="decode").inc(tensors.cpu_s)
        return work_of(tensors)

    def _remaining_s(self, deadline_ms: int = 0) -> float:
        allowed = deadline_ms / 1e3 if deadline_ms else self.service.settings.request_timeout_s
        return max(0.0, allowed - self.elapsed_s())

    def _read_top(self) -> int:
        text = self.get_query_argument("top", str(_DEFAULT_TOP))
        classes = len(self.service.model.labels)
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= classes):
            raise BodyError(
                f"top={text[:20]} is not a number of classes", accepted={"top": f"1 to {classes}"}
            )
        return int(text)

    def refusal(self, status_code: int, error: BaseException | None) -> dict[str, Any]:
        answer = super().refusal(status_code, error)
        self._entry.decide("refused", answer["reason"])
        return answer

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._entry.decide("abandoned")
        self._gone = True
        if self._work:
            self._work.cancel()

    def release(self) -> None:
        super().release()
        self._large = None
        self.service.active -= self._active
        self._active = False


class HelloHandler(Handler):
    """`GET /`: who is there, and where to go on."""

    def get(self) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(
            "Hello, this is the SplitDNN cloud.\n"
            "GET /model says what runs here, POST /model runs a tail, GET /metrics is for Prometheus.\n"
        )


class HealthHandler(Handler):
    """`GET /healthz`: the process answers."""

    def get(self) -> None:
        self.finish({"state": self.service.lifecycle.state})


class ReadyHandler(Handler):
    """`GET /readyz`: 200 while frames are taken, else 503."""

    def get(self) -> None:
        state = self.service.lifecycle.state
        self.set_status(200 if state is State.READY else 503)
        self.finish({"state": state})


class MetricsHandler(Handler):
    """`GET /metrics`, in the format that the scraper prefers."""

    async def get(self) -> None:
        accept = self.request.headers.get("Accept", "")
        content_type, body = await asyncio.to_thread(exposition, self.service.metrics.registry, accept)
        self.set_header("Content-Type", content_type)
        self.finish(body)


class UnknownHandler(Handler):
    """Every other path."""

    def prepare(self) -> None:
        raise HTTPError(404, f"no such path; known: {', '.join(ENDPOINTS[:-1])}")


def _json_answer(logits: NDArray[np.float32], count: Any) -> bytes:
    """Row by row: one call for all of them would hold the interpreter for as long as it takes."""
    rows = ", ".join(json.dumps(row.tolist()) for row in logits)
    return f'{{"result": [{rows}], "count": {json.dumps(count)}}}'.encode()
