"""What happens in the pauses of a run that takes long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kits.batching import check, depth, serving, submit, until

from cloud.batching.crossing import Crossing, join

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cloud.batching.runs import Stops
    from shared.engines.half import Tensors


class Pieces:
    """Runs a tail in two pieces; the tail `long` has its pause when `gate` is open."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.begun: list[list[float]] = []
        self.done: list[list[float]] = []

    async def at_once(self, tail: str, callers: list[Crossing]) -> Tensors:
        return await self._run("short" if tail == "short" else "alone", callers, None)

    async def in_pieces(self, tail: str, callers: list[Crossing], stops: Stops) -> Tensors:
        return await self._run(tail, callers, stops)

    async def _run(self, tail: str, callers: list[Crossing], stops: Stops | None) -> Tensors:
        (tensors,) = join(callers)
        self.begun.append(tensors[:, 0].tolist())
        if tail == "long" and stops:
            await self.gate.wait()
            await stops.stop(None)
        self.done.append(tensors[:, 0].tolist())
        return (2 * tensors,)


def served(scenario: Callable[[Pieces], Awaitable[None]]) -> Pieces:
    async def run() -> Pieces:
        pieces = Pieces()
        await scenario(pieces)
        return pieces

    return asyncio.run(run())


def test_a_short_frame_of_another_client_goes_in_the_pause_and_a_long_one_does_not() -> None:
    async def scenario(pieces: Pieces) -> None:
        async with serving(pieces.at_once, in_pieces=pieces.in_pieces, max_batch=4) as batcher:
            await check(submit(batcher, 90, at="short", client="b"), 90)
            await check(submit(batcher, 91, at="alone", client="a"), 91)
            long = submit(batcher, 1, 2, 3, 4, at="long", client="a")
            await until(lambda: [1, 2, 3, 4] in pieces.begun)
            others = [
                submit(batcher, 5, at="long", client="a"),
                submit(batcher, 6, 7, 8, at="long", client="c"),
                submit(batcher, 9, at="short", client="b"),
            ]
            await until(lambda: depth(batcher) == 5)
            pieces.gate.set()
            await check(long, 1, 2, 3, 4)
            for task, values in zip(others, ([5], [6, 7, 8], [9]), strict=True):
                await check(task, *values)

    assert served(scenario).done[2:4] == [[9], [1, 2, 3, 4]]


def test_a_pause_without_others_is_none() -> None:
    async def scenario(pieces: Pieces) -> None:
        pieces.gate.set()
        async with serving(pieces.at_once, in_pieces=pieces.in_pieces, max_batch=4) as batcher:
            await check(submit(batcher, 1, at="short", client="b"), 1)
            await check(submit(batcher, 2, 3, at="long", client="a"), 2, 3)

    assert served(scenario).done == [[1], [2, 3]]
