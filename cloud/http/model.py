"""`/model`: the way of a frame through the cloud, on one page."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

from cloud.access.audit import Action
from cloud.access.ledger import Entry
from cloud.bodies.alone import Way
from cloud.bodies.frames import Work
from cloud.bodies.json_answer import json_answer, require_answerable
from cloud.bodies.outputs import numbers_in
from cloud.bodies.reply import Composer, Reply, require_finite
from cloud.http.body import BodyHandler
from cloud.networks.description import description
from cloud.networks.network import Tail
from shared.errors import BodyError, MediaTypeError, UnavailableError
from shared.limits import MAX_LABELS
from shared.observing.telemetry import Stopwatch
from shared.security.rights import Right, one_of
from shared.tasks.spec import Wanted
from shared.wire.http import CONTENT_TYPE, require_identity

if TYPE_CHECKING:
    from cloud.batching.crossing import TailRun
    from cloud.bodies.body import Body
    from cloud.networks.network import LoadedNetwork
    from cloud.service import Service
    from shared.security.rights import Needs

# "" and the form type: what clients send that set none, curl -d among them.
_JSON_TYPES = ("application/json", "text/json", "", "application/x-www-form-urlencoded")
_NUMBER = re.compile(r"(?=.{1,40}$)([0-9]+[.]?[0-9]*|[.][0-9]+)(e-?[0-9]+)?")
"""What Python's `float` is given of a query: it also takes spaces, underscores and the digits of other scripts."""
_LARGE_NUMBERS = 1 << 16
"""Outputs of more numbers than this are looked at on a thread: it would hold up the event loop for a millisecond or more."""


@dataclass(slots=True)
class _Progress:
    """What must be undone, whenever and however the request ends."""

    entry: Entry
    admitted: bool = False  # counted as a frame in progress
    counted: bool = False  # as one of its client's
    answering: asyncio.Task[Reply] | None = None
    gone: bool = False  # the client has closed its connection


class ModelHandler(BodyHandler):
    """`GET /model` says what runs here; `POST /model` runs a tail, on a frame or on JSON."""

    needs: ClassVar[Needs] = one_of(Right.FRAMES, Right.JSON, Right.PROFILES, Right.BUNDLES, Right.PAGE)

    def initialize(self, service: Service) -> None:
        super().initialize(service)
        self._progress = _Progress(Entry(None, ""))
        if self.request.method == "POST":
            self.action = Action.FRAME if self.is_frame() else Action.JSON

    def needed(self) -> Needs:
        posting = one_of(Right.FRAMES if self.is_frame() else Right.JSON)
        return posting if self.request.method == "POST" else self.needs

    async def get(self) -> None:
        self.service.lifecycle.require_ready()
        await self.in_turn()
        self.finish(description(self.service))

    async def post(self) -> None:
        await self.complete()

    def admit(self) -> None:
        """Refuse, from the header alone, a request that cannot be answered."""
        self._progress.entry = Entry(self.service.ledger if self.is_frame() else None, self.client)
        self.service.lifecycle.begin_frame()
        self._progress.admitted = True
        self.account.begin_frame()
        self._progress.counted = True
        require_identity(self.request.headers.get("Content-Encoding"))
        if self._content_type not in (CONTENT_TYPE, *_JSON_TYPES):
            raise MediaTypeError(
                f"Content-Type {self._content_type} is not supported",
                accepted=[CONTENT_TYPE, "application/json"],
            )
        self._asked = self._wanted()
        self.service.batcher.require_place(self.client)

    async def respond(self, body: Body) -> None:
        # A task of its own, because Tornado does not stop a handler whose client has gone; on_connection_close does.
        progress = self._progress
        progress.answering = asyncio.create_task(self._answer(body))
        try:
            reply = await progress.answering
            progress.entry.decide("answered")
            if reply.digest:
                self.set_header("Content-Digest", reply.digest)
            self.finish_json(reply.body)
        except asyncio.CancelledError:
            if not progress.gone:  # cancelled because the server stops
                raise UnavailableError("the server is stopping; try again later") from None
            self._auto_finish = False  # Tornado would count an empty 200

    async def _answer(self, body: Body) -> Reply:
        """Receive -> decode -> queue -> tail -> answer."""
        metrics = self.service.metrics
        watch = Stopwatch(metrics.steps, metrics.step_cpu)
        watch.note("receive", self.elapsed_s())
        if not self.is_frame():
            return await self._answer_json(body, watch)
        composer = Composer(
            metrics.step_cpu, self.account, watch, self._asked, self.service.networks, body.received()
        )
        way = await self.service.alone.take(
            body, self.account, self._progress.entry, self._remaining_s, composer
        ) or Way(*await self._decode(body, watch))
        network, work = way.network, way.work
        if not isinstance(work, Work):  # noted by nobody yet
            start = time.perf_counter()
            try:
                work = await self.service.decoder.finished(work, self.account, network, self._remaining_s)
            finally:
                watch.note("decode", way.decode_s + time.perf_counter() - start)
        metrics.payload_bytes.labels(codec=work.codec or "").observe(work.payload_bytes)
        if way.reply:
            network.usage.numbers = numbers_in(way.run.outputs) if way.run else 0
            return way.reply
        run = await self._run_tail(network, work, watch, way.run)
        compose = partial(composer.compose, network, work, run.outputs)
        if composer.is_quick(run.outputs):
            return compose()
        return await self.service.decoder.aside(
            self.account, self._remaining_s(work.deadline_ms), compose, charges=True
        )

    async def _answer_json(self, body: Body, watch: Stopwatch) -> Reply:
        network, work = await self._decode(body, watch)
        require_answerable(network.usage.numbers * len(work.crossing[0]))
        run = await self._run_tail(network, work, watch)
        answer = partial(json_answer, run.outputs, network.model.outputs, work.count)
        return Reply(await self.service.decoder.aside(self.account, self._remaining_s(), answer))

    async def _decode(self, body: Body, watch: Stopwatch) -> tuple[LoadedNetwork, Work]:
        decoder, start = self.service.decoder, time.perf_counter()
        try:
            with self.service.batcher.gathering.expect():
                if not self.is_frame():
                    return await decoder.json(body, self.account, self._remaining_s)
                return await decoder.frame(body, self.account, self._progress.entry, self._remaining_s)
        finally:  # a refusal took time as well
            watch.note("decode", time.perf_counter() - start)

    async def _run_tail(
        self, network: LoadedNetwork, work: Work, watch: Stopwatch, run: TailRun | None = None
    ) -> TailRun:
        """`run` is there if the tail has run already, and its outputs were not looked at."""
        if run is None:
            run = await self.service.run_tail(
                Tail(network, work.split_point),
                work.crossing,
                self._remaining_s(work.deadline_ms),
                self.account,
            )
            watch.note("queue", run.queue_s)
            watch.note("tail", run.tail_s)
        numbers = numbers_in(run.outputs)
        network.usage.numbers = numbers // len(work.crossing[0])
        look = partial(require_finite, run.outputs)
        if numbers > _LARGE_NUMBERS:
            await self.service.decoder.aside(self.account, self._remaining_s(work.deadline_ms), look)
        else:
            look()
        return run

    @cached_property
    def _content_type(self) -> str:
        return self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def is_frame(self) -> bool:
        return self.request.method == "POST" and self._content_type == CONTENT_TYPE

    def _remaining_s(self, deadline_ms: int = 0) -> float:
        """Seconds left for a frame with this deadline; 0 stands for the server's own, which no frame's exceeds."""
        allowed = self.service.settings.request_timeout_s
        return max(0.0, min(allowed, deadline_ms / 1e3 if deadline_ms else allowed) - self.elapsed_s())

    def _wanted(self) -> Wanted:
        """What the query asks of the answer. Raises BodyError for what no network here could give."""
        for name in ("top", "threshold"):
            if len(self.request.query_arguments.get(name, ())) > 1:
                raise BodyError(f"{name}= is given more than once", accepted={name: "once"})
        return Wanted(self._top(), self._threshold())

    def _top(self) -> int:
        text = self.get_query_argument("top", "")
        if not text and "top" not in self.request.query_arguments:
            return Wanted.top
        classes = max(len(network.model.labels) for network in self.service.networks) or MAX_LABELS
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= classes):
            raise BodyError(
                f"top={text[:20]} is not a number of classes", accepted={"top": f"1 to {classes}"}
            )
        return int(text)

    def _threshold(self) -> float | None:
        if "threshold" not in self.request.query_arguments:
            return None
        text = self.get_query_argument("threshold")
        score = float(text) if _NUMBER.fullmatch(text) else -1
        if not 0 <= score <= 1:
            raise BodyError(f"threshold={text[:20]} is not a score", accepted={"threshold": "0 to 1"})
        return score

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
        if self._progress.counted:
            self._progress.counted = False
            self.account.end_frame()
