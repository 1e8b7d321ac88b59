"""Runs of tails, from a batch to the answers of all who were aboard.

A run may take others aboard on its way: a frame that enters the network later waits at its split point until a run comes by, and the rest
of the network is computed once for all. It never waits longer for that: it boards a run that it would have had to wait for.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from cloud.batching.crossing import TailRun, rows
from cloud.batching.journey import Journey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from cloud.batching.crossing import Crossing
    from cloud.batching.fair_queue import FairQueue, Ticket
    from cloud.batching.selection import Selection
    from cloud.metrics import CloudMetrics
    from shared.engines.half import Tensors

    Run = Callable[[Any, list[Crossing]], Awaitable[Tensors]]
    RunInPieces = Callable[[Any, list[Crossing], "Stops"], Awaitable[Tensors]]

_log = logging.getLogger(__name__)

_SHORT = 0.5
"""The share of a run's expected time that frames of others take at most which go in a pause of it."""


class Runs:
    """Runs batches; used by the event loop."""

    def __init__(
        self,
        run: Run,
        in_pieces: RunInPieces | None,
        queue: FairQueue,
        selection: Selection,
        metrics: CloudMetrics,
    ) -> None:
        self._at_once = run
        self._in_pieces = in_pieces
        self._queue = queue
        self._selection = selection
        self._metrics = metrics

    async def run(self, batch: list[Ticket], *, shared: bool = False) -> None:
        """To the end. `shared`: several clients send at present, so it lets others go in pauses."""
        await self._run(batch, self._in_pieces, shared=shared)

    async def alone(self, batch: list[Ticket]) -> None:
        """The same without pauses, and without anyone boarding."""
        await self._run(batch, None)

    async def _run(self, batch: list[Ticket], in_pieces: RunInPieces | None, *, shared: bool = False) -> None:
        loop = asyncio.get_running_loop()
        journey = Journey(batch, loop.time())
        crossings = [ticket.crossing for ticket in batch]
        try:
            if in_pieces:
                stops = Stops(self, self._queue, self._selection, journey, shared=shared)
                outputs = await in_pieces(batch[0].tail, crossings, stops)
            else:
                outputs = await self._at_once(batch[0].tail, crossings)
            if {len(each) for each in outputs} != {journey.frames}:
                found = ", ".join(str(len(each)) for each in outputs)
                raise RuntimeError(f"the tail gave {found} rows for {journey.frames}")  # noqa: TRY301
        except Exception as error:  # noqa: BLE001 - whatever a tail raises belongs to its callers
            await self._fail(journey, error)
            return
        finally:
            del crossings
        journey.spend(loop.time())
        self._settle(journey)
        for tail, frames, seconds in journey.by_tail():
            self._selection.costs.note(tail, frames, seconds)
        for each, start, stop in journey.rows():
            ticket = each.ticket
            waited_s = each.boarded - ticket.arrived
            self._metrics.queue_wait.observe(waited_s)
            if not ticket.result.done():
                ticket.result.set_result(
                    TailRun(rows(outputs, start, stop), waited_s + each.away_s, each.aboard_s)
                )

    def note_boarding(self, tickets: list[Ticket]) -> None:
        """Count those that come aboard on the way."""
        self._metrics.boarded.inc(sum(ticket.frames for ticket in tickets))

    async def _fail(self, journey: Journey, error: Exception) -> None:
        """What one of several has done is no other's fault: each is run again, alone."""
        journey.spend(asyncio.get_running_loop().time())
        self._settle(journey)
        tickets = [each.ticket for each in journey.passages]
        if len(tickets) > 1:
            _log.error("a batch of %d callers failed; trying each alone", len(tickets), exc_info=error)
            for ticket in tickets:
                if not ticket.result.done():
                    await self.alone([ticket])
        elif not tickets[0].result.done():
            tickets[0].result.set_exception(error)

    def _settle(self, journey: Journey) -> None:
        """Each pays for its share of the run, in place of what it was expected to cost."""
        self._metrics.batch_size.observe(journey.frames)
        for each in journey.passages:
            ticket = each.ticket
            self._queue.charge(ticket.client, each.used_s - ticket.work)
            ticket.work = 0.0  # it pays in full if it is run once more
            ticket.paid(each.used_s)


class Stops:
    """What a run does at the split points on its way: others board, and short ones go in a pause."""

    def __init__(
        self, runs: Runs, queue: FairQueue, selection: Selection, journey: Journey, *, shared: bool
    ) -> None:
        self._runs = runs
        self._queue = queue
        self._selection = selection
        self._journey = journey
        self.is_shared = shared
        """Whether several clients send at present."""
        expected_s = sum(selection.costs.of_all(each.ticket) for each in journey.passages)
        self.must_pause = shared and expected_s > selection.shared_run_s
        """Whether it takes so long that others must be able to go on the way."""
        self._is_full = False
        self._added_s = 0.0
        self._short_s = _SHORT * expected_s
        self._worked_s = self._away_s = 0.0
        self._since_s = asyncio.get_running_loop().time()

    def are_wanted(self, tail: Hashable) -> bool:
        """On the tail's thread: whether frames may board that wait for `tail`, the rest of this run."""
        return not self._is_full and self._queue.frames_of(tail) > 0

    def may_be_short(self) -> bool:
        """On the tail's thread: whether others may want to go in a pause."""
        return self.is_shared and len(self._queue) > 0

    async def stop(self, tail: Hashable | None) -> list[Crossing]:
        """At a split point: the crossings of those that board, for whom `tail` is what is left of the run; None: nobody may."""
        loop, journey = asyncio.get_running_loop(), self._journey
        now_s = loop.time()
        journey.spend(now_s)
        self._worked_s += now_s - self._since_s
        boarding: list[Ticket] = []
        if tail is not None and self.are_wanted(tail):
            boarding, cost_s = self._selection.board(
                tail, journey.frames, journey.until - now_s, self._added_s, shared=self.is_shared
            )
            self._is_full = not boarding
            self._added_s += cost_s
            self._runs.note_boarding(boarding)
        await self._pause(journey.clients | {ticket.client for ticket in boarding})
        self._since_s = loop.time()
        self._away_s += self._since_s - now_s
        journey.rest(self._since_s)
        journey.board(boarding, now_s)
        return [ticket.crossing for ticket in boarding]

    async def _pause(self, clients: set[Hashable]) -> None:
        """Let others go, as long as they have had no more of this run's time than itself."""
        if self.is_shared and self._away_s <= self._worked_s:
            others = self._selection.take_short(self._short_s, clients)
            if others:
                await self._runs.alone(others)
