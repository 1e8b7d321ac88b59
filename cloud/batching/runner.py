"""Runs tails on their threads, at once or in pieces."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from shared.observing.telemetry import computing

if TYPE_CHECKING:
    from cloud.batching.crossing import Crossing
    from cloud.batching.runs import Stops
    from cloud.frames.threads import Pool
    from cloud.networks.network import Tail
    from shared.engines.half import Tensors
    from shared.engines.segmented import ChainRun
    from shared.observing.counting.counter import Counter

PIECE_S = 0.003
"""A tail that runs in pieces pauses after so long, and may have to finish a segment first."""


class TailRunner:
    """Used by the event loop."""

    def __init__(self, pool: Pool, step_cpu: Counter) -> None:
        """`step_cpu` counts processor time by the label `stage`."""
        self._pool = pool
        self._step_cpu = step_cpu

    async def at_once(self, tail: Tail, callers: list[Crossing]) -> Tensors:
        """The outputs for the frames of all callers, in order."""
        return await self._pool.run(self._compute, tail, callers)

    async def in_pieces(self, tail: Tail, callers: list[Crossing], stops: Stops) -> Tensors:
        """The same by the segments of its chain, if there is one, with stops at split points on the way; those that board come last.

        A tail that is compiled on its own takes no stops, unless others may want a pause: a segment's ends cost more than boarding saves.
        """
        tails = tail.network.tails
        whole = tails.is_whole(tail.split_point) and not stops.must_pause
        run = None if whole else tails.begin(tail.split_point, callers, pauses=stops.must_pause)
        if run is None:
            return await self.at_once(tail, callers)
        board = bool(run.ahead)
        boarding: list[Crossing] = []
        while (outputs := await self._pool.run(self._advance, tail, run, stops, boarding, board)) is None:
            boarding = await stops.stop(tail._replace(split_point=run.point) if board else None)
        return outputs

    def _compute(self, tail: Tail, callers: list[Crossing]) -> Tensors:
        with computing(self._step_cpu, "tail"):
            return tail.network.tails.run(tail.split_point, callers)

    def _advance(
        self, tail: Tail, run: ChainRun, stops: Stops, boarding: list[Crossing], board: bool
    ) -> Tensors | None:
        def enough(point: str) -> bool:
            if board and stops.are_wanted(tail._replace(split_point=point)):
                return True
            return stops.may_be_short() and time.perf_counter() >= until

        with computing(self._step_cpu, "tail"):
            until = time.perf_counter() + PIECE_S
            return run.advance(enough, boarding)


async def timed(pool: Pool, run: ChainRun) -> tuple[float, int]:
    """Run it on the pool, in pieces: the seconds without its pauses, and the number of pieces."""

    def go_on() -> tuple[bool, float]:
        start = time.perf_counter()
        outputs = run.advance(lambda _point: time.perf_counter() >= start + PIECE_S)
        return outputs is not None, time.perf_counter() - start

    over, seconds, pieces = False, 0.0, 0
    while not over:
        over, piece_s = await pool.run(go_on)
        seconds += piece_s
        pieces += 1
    return seconds, pieces
