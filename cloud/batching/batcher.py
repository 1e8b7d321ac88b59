"""Frames of many callers, run together.

A batch is a transport optimisation, never a shared fate: frames are validated before they enter, a caller that has gone is
skipped, a run that fails is repeated one caller at a time, and the loop cannot die.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cloud.access.refusals import BusyError
from cloud.batching.crossing import TailRun, frames_in, join, rows
from cloud.batching.fair_queue import FairQueue, Ticket
from cloud.batching.gathering import Gathering
from cloud.batching.runs import Runs
from cloud.batching.selection import Selection
from shared.errors import DeadlineError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from cloud.batching.crossing import Crossing
    from cloud.batching.runs import Run, RunInPieces
    from cloud.metrics import CloudMetrics

SHARED_RUN_S = 0.02
"""What a run should take at most while several clients send frames: one frame may take longer."""


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

        `in_pieces` does the same with stops on the way, where others board; while several clients send frames, short ones of others
        go then as well. Meanwhile a run of several frames takes at most `shared_run_s` seconds, by what they cost before, and as much is
        added at most by those that board.
        `capacity` and `max_batch` are frames; the first frame of a batch waits up to `wait_s` seconds for others that are on their way.
        """
        self._metrics = metrics
        self._max_batch = max_batch
        self._workers = self._free = workers
        self._queue = FairQueue(capacity)
        self._selection = Selection(self._queue, max_batch, shared_run_s)
        self._costs, self._company = self._selection.costs, self._selection.company
        self._runs = Runs(run, in_pieces, self._queue, self._selection, metrics)
        self._changed = asyncio.Event()
        self.gathering = Gathering(wait_s, self._changed.set)
        self._filling = asyncio.Lock()
        metrics.queue_capacity.set(capacity)
        metrics.queue_depth.set_function(lambda: self.depth)

    @property
    def depth(self) -> int:
        """Frames that wait."""
        return self._queue.depth

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
        ticket.until = until
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
                    await self._runs.run(batch, shared=shared)
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
