"""A process that stood still knows for how long, and within which times."""

from __future__ import annotations

import asyncio
import contextlib
import time

from bench.harness.pauses import LONG_S, Pauses


def test_only_long_ones_count_and_only_what_lies_between_two_times():
    pauses = Pauses()
    for before, now in ((0.0, 0.02), (1.0, 1.5), (1.5, 1.55), (3.0, 5.0)):
        pauses.ticked(before, now)
    assert pauses.found == [(1.0, 1.5), (3.0, 5.0)]
    cases = {(0, 10): 2.5, (1.2, 4): 1.3, (1.5, 3): 0, (4, 4.5): 0.5, (6, 7): 0}
    for (start, end), expected in cases.items():
        assert round(pauses.within(start, end), 9) == expected, (start, end)


def test_a_loop_that_is_held_up_is_seen():
    async def check():
        pauses = Pauses()
        watching = asyncio.create_task(pauses.watch())
        await asyncio.sleep(0.03)
        start = asyncio.get_running_loop().time()
        time.sleep(2 * LONG_S)
        end = asyncio.get_running_loop().time()
        await asyncio.sleep(0.03)
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        assert pauses.within(start, end) > LONG_S

    asyncio.run(check())
