"""The way from a frame's bytes to its answer: who may send it and how much, decoding, its tail, the answer, and its end.

Requests for a tail and frames of a session go it alike; each says how its bytes come, and how an answer is sent.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from cloud.access.ledger import Entry
from cloud.bodies.alone import Way
from cloud.bodies.frames import Work, is_video
from cloud.bodies.outputs import numbers_in
from cloud.bodies.reply import require_finite
from cloud.networks.network import Tail
from shared.errors import ProfileMissingError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cloud.access.clients import Account
    from cloud.batching.crossing import TailRun
    from cloud.bodies.alone import Composes
    from cloud.bodies.decoder import Reads
    from cloud.bodies.reply import Reply
    from cloud.bodies.video.stream import VideoStream
    from cloud.networks.network import LoadedNetwork
    from cloud.service import Service
    from shared.engines.half import Tensors
    from shared.observing.telemetry import Stopwatch

_LOOKING_S = 3.0
"""How long a frame waits for a profile that another cloud has; then its sender is asked for it."""
_LARGE_NUMBERS = 1 << 16
"""Outputs of more numbers than this are looked at on a thread: it would hold up the event loop for a millisecond or more."""


class Answering:
    """One request for a tail, and what must be undone whenever and however it ends. On the event loop only."""

    def __init__(self, service: Service, elapsed_s: Callable[[], float]) -> None:
        """`elapsed_s` gives the seconds since its first bytes came, from which its deadline counts."""
        self.service = service
        self.entry = Entry(None, "")
        """What the ledger is told."""
        self.timeout_ms = 0
        """What the request itself allows, beside each frame's deadline; 0: what the server does."""
        self.ran = 0
        """Frames whose tail has run."""
        self._elapsed_s = elapsed_s
        self._account: Account | None = None
        self._admitted = False  # counted as a frame in progress
        self._counted = 0  # as so many of its client's

    @property
    def account(self) -> Account:
        """Whom it is charged to."""
        assert self._account, "it was not begun"
        return self._account

    def begin(self, account: Account, entry: Entry) -> None:
        """Count it as a frame in progress, and as this account's. Raises UnavailableError or OverQuotaError."""
        self._account, self.entry = account, entry
        self.service.lifecycle.begin_frame()
        self._admitted = True
        self.count_frames(1)

    def require_place(self) -> None:
        """Raise BusyError if there is no place before the tails."""
        self.service.batcher.require_place(self.account.name)

    def count_frames(self, frames: int) -> None:
        """Count so many more as its client's. Raises OverQuotaError."""
        if frames:
            self.account.begin_frame(frames)
            self._counted += frames

    def release(self) -> None:
        """It is over; may be called twice."""
        if self._admitted:
            self._admitted = False
            self.service.lifecycle.end_frame()
        if self._counted:
            self.account.end_frame(self._counted)
            self._counted = 0

    def remaining_s(self, deadline_ms: int = 0) -> float:
        """Seconds left for a frame with this deadline; 0 stands for the server's own, which no frame's exceeds."""
        allowed = self.service.settings.request_timeout_s
        for each in (deadline_ms, self.timeout_ms):
            if each:
                allowed = min(allowed, each / 1e3)
        return max(0.0, allowed - self._elapsed_s())

    async def one(self, size: int, read: Reads, composer: Composes, deadline_ms: int) -> Reply:
        """The answer to the one frame in a body of `size` bytes, which `read` decodes on a thread; `deadline_ms` is its own as far as the

        loop has looked. Raises RequestError.
        """
        return await self.end(await self.read(size, read, composer, deadline_ms), composer)

    async def read(
        self,
        size: int,
        read: Reads,
        composer: Composes,
        deadline_ms: int,
        *,
        alone: bool = True,
        video: Callable[[], VideoStream] | None = None,
    ) -> Way:
        """As far as one thread can take it in one go, if it may go `alone` and nothing else is under way; else until it is decoded.

        `video` is there for a frame of a stream, which is decoded whatever its deadline is: it gives what decodes its pictures, if it is a
        video's.
        """
        watch, begin_ms = composer.watch, 0 if video else deadline_ms
        try:
            way = await self._begun(size, read, composer, begin_ms, alone=alone, video=video)
        except ProfileMissingError as error:
            if not await self.bring_profile(error.name, deadline_ms):
                raise
            self.entry.read_again()
            way = await self._begun(size, read, composer, begin_ms, alone=alone, video=video)
        if not isinstance(way.work, Work):  # noted by nobody yet
            start, decoder = time.perf_counter(), self.service.decoder
            remaining = self._server_s if video else self.remaining_s
            stream = video() if video and is_video(way.work) else None
            try:
                way.work = await decoder.finished(way.work, self.account, way.network, remaining, stream)
            finally:
                watch.note("decode", way.decode_s + time.perf_counter() - start)
        return way

    def _server_s(self, _deadline_ms: int = 0) -> float:
        return self.remaining_s()

    async def end(self, way: Way, composer: Composes) -> Reply:
        """The answer to what `read` has decoded. Raises RequestError."""
        network, work = way.network, way.work
        assert isinstance(work, Work)
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

    async def _begun(
        self,
        size: int,
        read: Reads,
        composer: Composes,
        deadline_ms: int,
        *,
        alone: bool,
        video: Callable[[], VideoStream] | None,
    ) -> Way:
        if alone:
            left_s = self.remaining_s(deadline_ms)
            taken = self.service.alone.take(size, read, self.account, left_s, self.remaining_s, composer)
            if way := await taken:
                return way
        remaining = self._server_s if video else self.remaining_s
        decoding = self.service.decoder.read(read, self.account, remaining, video)
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
            left_s = self.remaining_s(work.deadline_ms)
            tail = Tail(network, work.split_point)
            run = await self.service.run_tail(tail, work.crossing, left_s, self.account)
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
        self.ran += frames
        network.usage.ran(work.split_point, frames, run.tail_s)
