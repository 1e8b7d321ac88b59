"""Tensors of many callers, run together.

A batch is a transport optimisation, never a shared fate: what enters was validated before, a caller that went away is
skipped, a run that fails is repeated one caller at a time, and the loop cannot die.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shared.errors import BusyError, DeadlineError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from numpy.typing import NDArray

    from cloud.metrics import CloudMetrics

    Run = Callable[[str, NDArray[np.float32]], Awaitable[NDArray[np.float32]]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one caller gets: logits (n, K) for its n tensors, and where the time went, in seconds."""

    logits: NDArray[np.float32]
    queue_s: float
    tail_s: float


@dataclass(eq=False, slots=True)
class _Ticket:
    split_point: str
    tensors: NDArray[np.float32]  # (n, *shape)
    arrived: float  # on the loop's clock
    answer: asyncio.Future[Answer]


class Batcher:
    """A bounded queue in order of arrival; batches are of one split point, by size or by time."""

    def __init__(
        self, run: Run, metrics: CloudMetrics, *, capacity: int, max_batch: int, wait_s: float
    ) -> None:
        self._run = run
        self._metrics = metrics
        self._capacity = capacity
        self._max_batch = max_batch
        self._wait_s = wait_s
        self._queue: list[_Ticket] = []
        self._changed = asyncio.Event()
        metrics.queue_capacity.set(capacity)

    async def submit(self, split_point: str, tensors: NDArray[np.float32], timeout_s: float) -> Answer:
        """Wait for the logits of `tensors` (n, *shape), at most `timeout_s` seconds.

        More than `max_batch` tensors are answered in several turns, with other callers' between them. Raises BusyError
        when the queue is full and DeadlineError when the time is over; whatever the tail raised otherwise. Cancelling
        the caller takes its tensors out of the queue.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        size = self._max_batch
        turns = [
            await self._turn(split_point, tensors[start : start + size], max(0.0, until - loop.time()))
            for start in range(0, len(tensors), size)
        ]
        if len(turns) == 1:
            return turns[0]
        return Answer(
            np.concatenate([turn.logits for turn in turns]),
            sum(turn.queue_s for turn in turns),
            sum(turn.tail_s for turn in turns),
        )

    def require_place(self, tensors: int = 1) -> None:
        """Raise BusyError if there is no place in the queue for so many tensors."""
        if self._depth() + tensors > self._capacity:
            raise BusyError(f"the queue is full ({self._depth()} of {self._capacity}); try again in a second")

    async def _turn(self, split_point: str, tensors: NDArray[np.float32], timeout_s: float) -> Answer:
        self.require_place(len(tensors))
        loop = asyncio.get_running_loop()
        ticket = _Ticket(split_point, tensors, loop.time(), loop.create_future())
        self._queue.append(ticket)
        self._notice()
        try:
            async with asyncio.timeout(timeout_s):
                return await ticket.answer
        except TimeoutError:
            raise DeadlineError(f"no answer within the {1e3 * timeout_s:.0f} ms that were left") from None
        finally:
            if ticket in self._queue:
                self._queue.remove(ticket)
                self._notice()

    async def serve(self) -> None:
        """Run batches until cancelled."""
        while True:
            while not self._queue:
                self._changed.clear()
                await self._changed.wait()
            await self._fill()
            batch = self._take()
            if batch:
                await self._answer(batch)

    def _depth(self) -> int:
        return sum(len(ticket.tensors) for ticket in self._queue)

    def _notice(self) -> None:
        self._metrics.queue_depth.set(self._depth())
        self._changed.set()

    async def _fill(self) -> None:
        """Give the oldest ticket's batch its time to grow."""
        loop = asyncio.get_running_loop()
        ready_at = self._queue[0].arrived + self._wait_s
        while self._queue and self._depth() < self._capacity and loop.time() < ready_at:
            split_point = self._queue[0].split_point
            if sum(len(t.tensors) for t in self._queue if t.split_point == split_point) >= self._max_batch:
                return
            self._changed.clear()
            try:
                async with asyncio.timeout_at(ready_at):
                    await self._changed.wait()
            except TimeoutError:
                return

    def _take(self) -> list[_Ticket]:
        """The oldest ticket and those of its split point that fit beside it."""
        batch: list[_Ticket] = []
        rows = 0
        for ticket in list(self._queue):
            if ticket.answer.done():  # its caller is leaving submit(); left here, serve() would spin on it
                self._queue.remove(ticket)
                continue
            if batch and (
                ticket.split_point != batch[0].split_point or rows + len(ticket.tensors) > self._max_batch
            ):
                continue
            batch.append(ticket)
            rows += len(ticket.tensors)
            self._queue.remove(ticket)
        self._notice()
        return batch

    async def _answer(self, batch: list[_Ticket]) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        try:
            tensors = np.concatenate([ticket.tensors for ticket in batch])  # the one copy that a batch costs
            self._metrics.batch_size.observe(len(tensors))
            logits = await self._run(batch[0].split_point, tensors)
            if len(logits) != len(tensors):
                raise RuntimeError(f"the tail gave {len(logits)} rows for {len(tensors)}")  # noqa: TRY301
        except Exception as error:  # noqa: BLE001 - whatever a tail raises belongs to its callers
            if len(batch) > 1:
                _log.exception("a batch of %d callers failed; trying each alone", len(batch))
                for ticket in batch:
                    if not ticket.answer.done():
                        await self._answer([ticket])
                return
            if not batch[0].answer.done():
                batch[0].answer.set_exception(error)
            return
        tail_s = loop.time() - start
        row = 0
        for ticket in batch:
            rows = logits[row : row + len(ticket.tensors)]
            row += len(ticket.tensors)
            self._metrics.queue_wait.observe(start - ticket.arrived)
            if not ticket.answer.done():
                ticket.answer.set_result(Answer(rows, start - ticket.arrived, tail_s))
