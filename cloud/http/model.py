"""`/model`: the way of a frame through the cloud, on one page."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cloud.http.base import BodyHandler
from cloud.ledger import Entry
from cloud.networks.network import Tail
from shared.errors import BodyError, ContentError, MediaTypeError, UnavailableError
from shared.limits import MAX_LABELS
from shared.observing.telemetry import Stopwatch, computing
from shared.wire.http import CONTENT_TYPE, require_identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cloud.batching.batcher import TailRun
    from cloud.bodies.body import Body
    from cloud.bodies.frames import Work
    from cloud.networks.network import LoadedNetwork
    from cloud.service import Service
    from shared.engines.half import Tensors
    from shared.tasks.base import Answer, Task

# "" and the form type: what clients send that set none, curl -d among them.
_JSON_TYPES = ("application/json", "text/json", "", "application/x-www-form-urlencoded")
_DEFAULT_TOP = 5
_LARGE_ELEMENTS = 1 << 16
"""Outputs of more elements than this are looked at on a thread: it would hold up the event loop for a millisecond or more."""


@dataclass(slots=True)
class _Progress:
    """What must be undone, whenever and however the request ends."""

    entry: Entry
    admitted: bool = False  # counted as a frame in progress
    answering: asyncio.Task[dict[str, Any] | bytes] | None = None
    gone: bool = False  # the client has closed its connection


class ModelHandler(BodyHandler):
    """`GET /model` says what runs here; `POST /model` runs a tail, on a frame or on JSON."""

    def initialize(self, service: Service) -> None:
        super().initialize(service)
        self._progress = _Progress(Entry(service.ledger if self._brings_frame() else None))

    def get(self) -> None:
        self.service.lifecycle.require_ready()
        self.finish(self.service.describe())

    async def post(self) -> None:
        await self.complete()

    def admit(self) -> None:
        """Refuse, from the header alone, a request that cannot be answered."""
        self.service.lifecycle.begin_frame()
        self._progress.admitted = True
        require_identity(self.request.headers.get("Content-Encoding"))
        if self._content_type() not in (CONTENT_TYPE, *_JSON_TYPES):
            raise MediaTypeError(
                f"Content-Type {self._content_type()} is not supported",
                accepted=[CONTENT_TYPE, "application/json"],
            )
        self._top()  # raises for one that cannot be answered
        self.service.batcher.require_place(self.request.remote_ip)

    async def respond(self, body: Body) -> None:
        # A task of its own, because Tornado does not stop a handler whose client has gone; on_connection_close does.
        progress = self._progress
        progress.answering = asyncio.create_task(self._answer(body))
        try:
            answer = await progress.answering
            progress.entry.decide("answered")
            self.finish_sealed(answer) if isinstance(answer, dict) else self.finish_json(answer)
        except asyncio.CancelledError:
            if not progress.gone:  # cancelled because the server stops
                raise UnavailableError("the server is stopping; try again later") from None
            self._auto_finish = False  # Tornado would count an empty 200

    async def _answer(self, body: Body) -> dict[str, Any] | bytes:
        """Receive -> decode -> queue -> tail -> answer."""
        watch = Stopwatch(self.service.metrics.steps, self.service.metrics.step_cpu)
        watch.note("receive", self.elapsed_s())
        received = body.received()
        network, work = await self._decode(body, watch)
        run = await self._run_tail(network, work, watch)
        if work.codec is None:
            names = network.model.outputs
            return await self.service.pools.decode.run(_json_answer, run.outputs, names, work.count)
        answer = await self._make_answer(network, tuple(output[0] for output in run.outputs), watch)
        return {
            "frame_id": work.frame_id,
            "fingerprint": self.service.networks.current.model.fingerprint.hex(),
            "split_point": work.split_point,
            **answer.fields(),
            "stages_ms": watch.milliseconds(),
            "received": received,
        }

    async def _decode(self, body: Body, watch: Stopwatch) -> tuple[LoadedNetwork, Work]:
        decoder, start = self.service.decoder, time.perf_counter()
        try:
            if not self._brings_frame():
                return await decoder.json(body, self._remaining_s)
            network, work = await decoder.frame(body, self._progress.entry, self._remaining_s)
        finally:  # a refusal took time as well
            watch.note("decode", time.perf_counter() - start)
        self.service.metrics.payload_bytes.labels(codec=work.codec).observe(work.payload_bytes)
        return network, work

    async def _run_tail(self, network: LoadedNetwork, work: Work, watch: Stopwatch) -> TailRun:
        # A client is one edge, or all senders of JSON at one address.
        client = (self.request.remote_ip, work.frame_id >> 32)
        run = await self.service.batcher.submit(
            Tail(network, work.split_point), work.crossing, self._remaining_s(work.deadline_ms), client
        )
        watch.note("queue", run.queue_s)
        watch.note("tail", run.tail_s)
        large = _elements(run.outputs) > _LARGE_ELEMENTS
        if not (await self.service.pools.decode.run(_finite, run.outputs) if large else _finite(run.outputs)):
            raise ContentError("the network's answer to this tensor is not finite: its values are too large")
        return run

    async def _make_answer(self, network: LoadedNetwork, outputs: Tensors, watch: Stopwatch) -> Answer:
        task = network.task(self._top())
        if _elements(outputs) <= _LARGE_ELEMENTS:
            with watch.step("top"):
                return task.answer(outputs)
        start = time.perf_counter()
        answer = await self.service.pools.decode.run(self._compute_answer, task, outputs)
        watch.note("top", time.perf_counter() - start)
        return answer

    def _compute_answer(self, task: Task, outputs: Tensors) -> Answer:
        with computing(self.service.metrics.step_cpu, "top"):
            return task.answer(outputs)

    def _content_type(self) -> str:
        return self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def _brings_frame(self) -> bool:
        return self.request.method == "POST" and self._content_type() == CONTENT_TYPE

    def _remaining_s(self, deadline_ms: int = 0) -> float:
        """Seconds left for a frame with this deadline; 0 stands for the server's own."""
        allowed = deadline_ms / 1e3 if deadline_ms else self.service.settings.request_timeout_s
        return max(0.0, allowed - self.elapsed_s())

    def _top(self) -> int:
        """The query's `top`. Raises BodyError if it is not a number of classes that a network here could name."""
        text = self.get_query_argument("top", "")
        if not text and "top" not in self.request.query_arguments:
            return _DEFAULT_TOP
        classes = max(len(network.model.labels) for network in self.service.networks) or MAX_LABELS
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= classes):
            raise BodyError(
                f"top={text[:20]} is not a number of classes", accepted={"top": f"1 to {classes}"}
            )
        return int(text)

    def refusal(self, status_code: int, error: BaseException | None) -> dict[str, Any]:
        answer = super().refusal(status_code, error)
        self._progress.entry.decide("refused", answer["reason"])
        return answer

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._progress.entry.decide("abandoned")
        self._progress.gone = True
        if self._progress.answering:
            self._progress.answering.cancel()

    def release(self) -> None:
        super().release()
        if self._progress.admitted:
            self._progress.admitted = False
            self.service.lifecycle.end_frame()


def _elements(outputs: Tensors) -> int:
    return sum(output.size for output in outputs)


def _finite(outputs: Tensors) -> bool:
    return all(bool(np.isfinite(output).all()) for output in outputs)


def _json_answer(outputs: Tensors, names: Sequence[str], count: Any) -> bytes:
    """The rows of the only output, or of several by name."""
    rows = [_rows(output) for output in outputs]
    named = ", ".join(f"{json.dumps(name)}: {each}" for name, each in zip(names, rows, strict=True))
    result = rows[0] if len(rows) == 1 else f"{{{named}}}"
    return f'{{"result": {result}, "count": {json.dumps(count)}}}'.encode()


def _rows(output: NDArray[np.float32]) -> str:
    """Row by row: one call for all of them would hold the interpreter for as long as it takes."""
    return f"[{', '.join(json.dumps(row.tolist()) for row in output)}]"
