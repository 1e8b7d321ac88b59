"""Runs tails on their threads, at once or in pieces."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from shared.observing.telemetry import computing

if TYPE_CHECKING:
    from cloud.batching.batcher import Pause
    from cloud.batching.crossing import Crossing
    from cloud.networks.network import Tail
    from cloud.threads import Pool
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

    async def in_pieces(self, tail: Tail, callers: list[Crossing], pause: Pause) -> Tensors:
        """The same, with pauses between the segments of its chain, if there is one."""
        run = tail.network.tails.begin(tail.split_point, callers)
        if run is None:
            return await self.at_once(tail, callers)
        while (outputs := await self._pool.run(self._advance, run)) is None:
            await pause()
        return outputs

    def _compute(self, tail: Tail, callers: list[Crossing]) -> Tensors:
        with computing(self._step_cpu, "tail"):
            return tail.network.tails.run(tail.split_point, callers)

    def _advance(self, run: ChainRun) -> Tensors | None:
        with computing(self._step_cpu, "tail"):
            until = time.perf_counter() + PIECE_S
            return run.advance(lambda: time.perf_counter() >= until)


async def timed(pool: Pool, run: ChainRun) -> tuple[float, int]:
    """Run it on the pool, in pieces: the seconds without its pauses, and the number of pieces."""

    def go_on() -> tuple[bool, float]:
        start = time.perf_counter()
        outputs = run.advance(lambda: time.perf_counter() >= start + PIECE_S)
        return outputs is not None, time.perf_counter() - start

    over, seconds, pieces = False, 0.0, 0
    while not over:
        over, piece_s = await pool.run(go_on)
        seconds += piece_s
        pieces += 1
    return seconds, pieces
