"""What every request for a tail shares: who may send it and how much, the way from its bytes to its answer, and its end.

Each door of it, `POST /model` and that of the Open Inference Protocol, says how a body is read and how an answer is written.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from cloud.access.ledger import Entry
from cloud.bodies.alone import Way
from cloud.bodies.frames import Work
from cloud.bodies.outputs import numbers_in
from cloud.bodies.reply import require_finite
from cloud.http.body import BodyHandler
from cloud.networks.network import Tail
from shared.errors import ProfileMissingError, UnavailableError
from shared.observing.telemetry import Stopwatch
from shared.wire.http import require_identity

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from cloud.batching.crossing import TailRun
    from cloud.bodies.alone import Composes
    from cloud.bodies.body import Body
    from cloud.bodies.decoder import Reads
    from cloud.bodies.reply import Reply
    from cloud.networks.network import LoadedNetwork
    from cloud.service import Service
    from shared.engines.half import Tensors

_LOOKING_S = 3.0
"""How long a frame waits for a profile that another cloud has; then its sender is asked for it."""
_LARGE_NUMBERS = 1 << 16
"""Outputs of more numbers than this are looked at on a thread: it would hold up the event loop for a millisecond or more."""


@dataclass(slots=True)
class _Progress:
    """What must be undone, whenever and however the request ends."""

    entry: Entry
    admitted: bool = False  # counted as a frame in progress
    counted: int = 0  # as so many of its client's
    ran: int = 0  # frames whose tail has run
    answering: asyncio.Task[Reply] | None = None
    gone: bool = False  # the client has closed its connection


class TailHandler(BodyHandler):
    """Takes a body, runs a tail on what it holds, and answers."""

    def initialize(self, service: Service) -> None:
        super().initialize(service)
        self._progress = _Progress(Entry(None, ""))

    def entry(self) -> Entry:
        """What the ledger is told."""
        return Entry(self.service.ledger if self.is_frame() else None, self.client)

    def check_header(self) -> None:
        """Raise RequestError for what the header alone shows."""

    async def answer(self, body: Body, watch: Stopwatch) -> Reply:
        """Decode -> queue -> tail -> answer; `watch` has the time of receiving. Raises RequestError."""
        raise NotImplementedError

    def send(self, reply: Reply) -> None:
        """Finish with this answer."""
        raise NotImplementedError

    def admit(self) -> None:
        """Refuse, from the header alone, a request that cannot be answered."""
        self._progress.entry = self.entry()
        self.service.lifecycle.begin_frame()
        self._progress.admitted = True
        self.count_frames(1)
        require_identity(self.request.headers.get("Content-Encoding"))
        self.check_header()
        self.service.batcher.require_place(self.client)

    def count_frames(self, frames: int) -> None:
        """Count so many more as its client's. Raises OverQuotaError."""
        if frames:
            self.account.begin_frame(frames)
            self._progress.counted += frames

    def frames(self) -> int:
        return self._progress.ran

    async def respond(self, body: Body) -> None:
        # A task of its own, because Tornado does not stop a handler whose client has gone; on_connection_close does.
        progress, metrics = self._progress, self.service.metrics
        watch = Stopwatch(metrics.steps, metrics.step_cpu)
        watch.note("receive", self.elapsed_s())
        progress.answering = asyncio.create_task(self.answer(body, watch))
        try:
            reply = await progress.answering
            progress.entry.decide("answered")
            self.send(reply)
        except asyncio.CancelledError:
            if not progress.gone:  # cancelled because the server stops
                raise UnavailableError("the server is stopping; try again later") from None
            self._auto_finish = False  # Tornado would count an empty 200

    async def answer_one(self, body: Body, read: Reads, composer: Composes, deadline_ms: int) -> Reply:
        """The answer to the frame that `read` makes of the body on a thread; `deadline_ms` is its own as far as the loop has looked."""
        decoder, watch = self.service.decoder, composer.watch
        try:
            way = await self._begin(body, read, composer, deadline_ms)
        except ProfileMissingError as error:
            if not await self.bring_profile(error.name, deadline_ms):
                raise
            self._progress.entry.read_again()
            way = await self._begin(body, read, composer, deadline_ms)
        network, work = way.network, way.work
        if not isinstance(work, Work):  # noted by nobody yet
            start = time.perf_counter()
            try:
                work = await decoder.finished(work, self.account, network, self.remaining_s)
            finally:
                watch.note("decode", way.decode_s + time.perf_counter() - start)
        if way.reply:
            self.note_payload(work)
            if way.run:
                network.usage.numbers = numbers_in(way.run.outputs)
                self._note_run(network, work, way.run)
            return way.reply
        return await self._answer_work(network, work, composer, way.run)

    async def bring_profile(self, profile: str, deadline_ms: int) -> bool:
        """Whether a profile that a frame lacks is here now, from where other clouds have it."""
        desk, patience_s = self.service.profile_desk, min(_LOOKING_S, self.remaining_s(deadline_ms))
        return await desk.bring(profile, self.account, self.service.networks, patience_s)

    async def _begin(self, body: Body, read: Reads, composer: Composes, deadline_ms: int) -> Way:
        """As far as one thread can take it; or until it is decoded, if there are others."""
        way = await self.service.alone.take(
            body.size, read, self.account, self.remaining_s(deadline_ms), self.remaining_s, composer
        )
        if way:
            return way
        decoding = self.service.decoder.read(read, self.account, self.remaining_s)
        return Way(*await self.decoded(decoding, composer.watch))

    async def answer_decoded(
        self, decoding: Awaitable[tuple[LoadedNetwork, Work]], composer: Composes
    ) -> Reply:
        """The answer to what `decoding` gives, in company with others from then on."""
        return await self._answer_work(*await self.decoded(decoding, composer.watch), composer)

    async def _answer_work(
        self, network: LoadedNetwork, work: Work, composer: Composes, run: TailRun | None = None
    ) -> Reply:
        self.note_payload(work)
        run = await self.run_tail(network, work, composer.watch, run)
        return await self.composed(composer, network, work, run.outputs)

    def note_payload(self, work: Work) -> None:
        """Count the bytes that a frame took."""
        self.service.metrics.payload_bytes.labels(codec=work.codec or "").observe(work.payload_bytes)

    async def decoded(
        self, decoding: Awaitable[tuple[LoadedNetwork, Work]], watch: Stopwatch
    ) -> tuple[LoadedNetwork, Work]:
        """What this gives; meanwhile a batch knows that something is on its way to it."""
        start = time.perf_counter()
        try:
            with self.service.batcher.gathering.expect():
                return await decoding
        finally:  # a refusal took time as well
            watch.note("decode", time.perf_counter() - start)

    async def composed(
        self, composer: Composes, network: LoadedNetwork, work: Work, outputs: Tensors
    ) -> Reply:
        """The answer in these outputs; made on a thread if that takes long."""
        compose = partial(composer.compose, network, work, outputs)
        if composer.is_quick(outputs):
            return compose()
        return await self.service.decoder.aside(
            self.account, self.remaining_s(work.deadline_ms), compose, charges=True
        )

    async def run_tail(
        self, network: LoadedNetwork, work: Work, watch: Stopwatch, run: TailRun | None = None
    ) -> TailRun:
        """The run of the work's tail, whose outputs are finite. `run` is there if it has run already, and nobody looked at them.

        Raises RequestError.
        """
        if run is None:
            run = await self.service.run_tail(
                Tail(network, work.split_point),
                work.crossing,
                self.remaining_s(work.deadline_ms),
                self.account,
            )
            watch.note("queue", run.queue_s)
            watch.note("tail", run.tail_s)
        numbers = numbers_in(run.outputs)
        network.usage.numbers = numbers // len(work.crossing[0])
        self._note_run(network, work, run)
        look = partial(require_finite, run.outputs)
        if numbers > _LARGE_NUMBERS:
            await self.service.decoder.aside(self.account, self.remaining_s(work.deadline_ms), look)
        else:
            look()
        return run

    def _note_run(self, network: LoadedNetwork, work: Work, run: TailRun) -> None:
        frames = len(work.crossing[0])
        self._progress.ran += frames
        network.usage.ran(work.split_point, frames, run.tail_s)

    def remaining_s(self, deadline_ms: int = 0) -> float:
        """Seconds left for a frame with this deadline; 0 stands for the server's own, which no frame's exceeds."""
        allowed = self.service.settings.request_timeout_s
        return max(0.0, min(allowed, deadline_ms / 1e3 if deadline_ms else allowed) - self.elapsed_s())

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
            self.account.end_frame(self._progress.counted)
            self._progress.counted = 0
