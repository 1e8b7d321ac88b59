"""Frames of many callers, run together.

A batch is a transport optimisation, never a shared fate: frames are validated before they enter, a caller that has gone is
skipped, a run that fails is repeated one caller at a time, and the loop cannot die.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from cloud.access.refusals import BusyError
from cloud.batching.crossing import TailRun, frames_in, join, rows
from cloud.batching.fair_queue import FairQueue, Ticket
from cloud.batching.gathering import Gathering
from cloud.batching.selection import Selection
from shared.errors import DeadlineError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from cloud.batching.crossing import Crossing
    from cloud.metrics import CloudMetrics
    from shared.engines.half import Tensors

    Run = Callable[[Any, list[Crossing]], Awaitable[Tensors]]
    Pause = Callable[[], Awaitable[None]]
    RunInPieces = Callable[[Any, list[Crossing], Pause], Awaitable[Tensors]]

_log = logging.getLogger(__name__)

SHARED_RUN_S = 0.02
"""What a run should take at most while several clients send frames: one frame may take longer."""
_SHORT = 0.5
"""The share of a run's expected time that frames of others take at most which go in a pause of it."""


class Batcher:
    """Forms batches for one tail, by size or by time; several tails may run at once."""

    def __init__(
        self,
        run: Run,
        metrics: CloudMetrics,
        *,
        capacity: int,
        max_batch: int,
        wait_s: float,
        workers: int = 1,
        in_pieces: RunInPieces | None = None,
        shared_run_s: float = SHARED_RUN_S,
    ) -> None:
        """`run` runs a tail on the crossings of several callers; the rows of its outputs must be theirs, in order.

        `in_pieces` does the same with pauses, which it awaits: while several clients send frames, short ones of others go then.
        Meanwhile a run of several frames takes at most `shared_run_s` seconds, by what they cost before.
        `capacity` and `max_batch` are frames; the first frame of a batch waits up to `wait_s` seconds for others that are on their way.
        """
        self._run = run
        self._in_pieces = in_pieces
        self._metrics = metrics
        self._max_batch = max_batch
        self._workers = self._free = workers
        self._queue = FairQueue(capacity)
        self._selection = Selection(self._queue, max_batch, shared_run_s)
        self._costs, self._company = self._selection.costs, self._selection.company
        self._changed = asyncio.Event()
        self.gathering = Gathering(wait_s, self._changed.set)
        self._filling = asyncio.Lock()
        metrics.queue_capacity.set(capacity)
        metrics.queue_depth.set_function(lambda: self._queue.depth)

    async def submit(
        self,
        tail: Hashable,
        crossing: Crossing,
        timeout_s: float,
        client: Hashable = None,
        paid: Callable[[float], None] = lambda _seconds: None,
    ) -> TailRun:
        """Wait for the outputs of a crossing, at most `timeout_s` seconds. Only equal tails share a batch.

        More than `max_batch` frames are answered in several turns, with other callers' between them. Turns are fair
        between clients. Raises BusyError when the queue is full, DeadlineError when the time is over, and otherwise
        whatever the tail raised. Cancelling the caller takes its frames out of the queue. `paid` is told the seconds of each run
        that they were in, also of one that fails or outlives its caller.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        size, frames, parts = self._max_batch, frames_in(crossing), [crossing]
        if frames > size:
            parts = [rows(crossing, at, at + size) for at in range(0, frames, size)]
        turns = [
            await self._turn(Ticket(tail, part, client, 0.0, loop.create_future(), paid=paid), until)
            for part in parts
        ]
        if len(turns) == 1:
            return turns[0]
        return TailRun(
            join([turn.outputs for turn in turns]),
            sum(turn.queue_s for turn in turns),
            sum(turn.tail_s for turn in turns),
        )

    def charge(self, client: Hashable, seconds: float) -> None:
        """Note that work for this client took so long elsewhere, as decoding does: its frames wait for others' meanwhile."""
        self._queue.charge(client, seconds)

    def require_place(self, client: Hashable = None) -> None:
        """Raise BusyError if the queue has no place for one frame of this client."""
        self._queue.require_place(client, 1)

    def begin_alone(self, client: Hashable) -> bool:
        """Take a worker's place for one frame of this client, if no other is here or on its way, and no other client was here lately."""
        now_s = asyncio.get_running_loop().time()
        self._company.note(client, now_s)
        others = self._free < self._workers or len(self._queue) or self.gathering.on_their_way
        alone = not others and not self._company.is_shared(now_s)
        self._free -= alone
        return alone

    def end_alone(self, client: Hashable, tail: Hashable, seconds: float) -> None:
        """Give the place back. The frame's tail, None if it did not run to its end, took so long."""
        self._free += 1
        if tail is not None:
            self._metrics.batch_size.observe(1)
            self._metrics.queue_wait.observe(0.0)
            self._costs.note(tail, 1, seconds)
            self._queue.charge(client, seconds)
        self._changed.set()

    async def _turn(self, ticket: Ticket, until: float) -> TailRun:
        ticket.arrived = asyncio.get_running_loop().time()
        timeout_s = max(0.0, until - ticket.arrived)
        ticket.work = self._costs.of_all(ticket)
        self._company.note(ticket.client, ticket.arrived)
        self.gathering.note(ticket.tail, ticket.arrived)
        for displaced in self._queue.put(ticket):
            if not displaced.result.done():
                displaced.result.set_exception(
                    BusyError("the queue is full, and others have less in it; try again in a second")
                )
        self._changed.set()
        try:
            async with asyncio.timeout(timeout_s):
                result: TailRun = await ticket.result
                return result
        except TimeoutError:
            raise DeadlineError(f"no answer within the {1e3 * timeout_s:.0f} ms that were left") from None
        finally:
            if self._queue.remove(ticket):
                self._changed.set()

    async def serve(self) -> None:
        """Run batches until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            async with self._filling:  # one worker at a time collects; the others' tails run meanwhile
                while not (len(self._queue) and self._free):
                    self._changed.clear()
                    await self._changed.wait()
                await self._fill()
                batch, shared = self._selection.take(asyncio.get_running_loop().time())
                self._changed.set()
                self._free -= 1
            try:
                if batch:
                    await self._run_batch(batch, shared=shared)
            finally:
                self._free += 1
                self._changed.set()
            del batch  # while nothing waits, no tail is held

    async def _fill(self) -> None:
        """Give the batch whose turn it is its time to grow, if others are on their way."""
        loop, gathering = asyncio.get_running_loop(), self.gathering
        until_s = self._queue.first().arrived + gathering.wait_s
        while len(self._queue) and self._queue.depth < self._queue.capacity and loop.time() < until_s:
            full = self._queue.frames_of(self._queue.first().tail) >= self._max_batch
            if full or not gathering.pays(loop.time()):
                return
            self._changed.clear()
            try:
                async with asyncio.timeout_at(until_s):
                    await self._changed.wait()
            except TimeoutError:
                return

    async def _run_batch(self, batch: list[Ticket], *, shared: bool = False) -> None:
        loop = asyncio.get_running_loop()
        start, away_s = loop.time(), 0.0
        short = _SHORT * sum(map(self._costs.of_all, batch))
        clients = {ticket.client for ticket in batch}

        async def pause() -> None:
            """Let others go, as long as they have had no more of this run's time than itself."""
            nonlocal away_s
            began = loop.time()
            if away_s > began - start - away_s:
                return
            if others := self._selection.take_short(short, clients):
                await self._run_batch(others)
                away_s += loop.time() - began

        frames = sum(ticket.frames for ticket in batch)
        try:
            self._metrics.batch_size.observe(frames)
            crossings = [ticket.crossing for ticket in batch]
            if shared and self._in_pieces:
                outputs = await self._in_pieces(batch[0].tail, crossings, pause)
            else:
                outputs = await self._run(batch[0].tail, crossings)
            del crossings
            if {len(each) for each in outputs} != {frames}:
                found = ", ".join(str(len(each)) for each in outputs)
                raise RuntimeError(f"the tail gave {found} rows for {frames}")  # noqa: TRY301
        except Exception as error:  # noqa: BLE001 - whatever a tail raises belongs to its callers
            self._settle(batch, frames, loop.time() - start - away_s)
            if len(batch) > 1:
                _log.exception("a batch of %d callers failed; trying each alone", len(batch))
                for ticket in batch:
                    if not ticket.result.done():
                        await self._run_batch([ticket])
                return
            if not batch[0].result.done():
                batch[0].result.set_exception(error)
            return
        tail_s = loop.time() - start - away_s
        self._costs.note(batch[0].tail, frames, tail_s)
        self._settle(batch, frames, tail_s)
        row = 0
        for ticket in batch:
            own = rows(outputs, row, row + ticket.frames)
            row += ticket.frames
            self._metrics.queue_wait.observe(start - ticket.arrived)
            if not ticket.result.done():
                ticket.result.set_result(TailRun(own, start - ticket.arrived + away_s, tail_s))

    def _settle(self, batch: list[Ticket], frames: int, seconds: float) -> None:
        """Each pays for its frames' share of a run, in place of what it was expected to cost."""
        for ticket in batch:
            share_s = seconds * ticket.frames / frames
            self._queue.charge(ticket.client, share_s - ticket.work)
            ticket.work = 0.0  # it pays in full if it is run once more
            ticket.paid(share_s)
