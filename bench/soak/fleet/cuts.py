"""Links of some edges that break: all connections at once, now or within their next frames."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.emulator.proxy import Emulator


async def cut_again_and_again(
    link: Emulator, every_s: float, until: float, frame_bytes: int, seed: int
) -> int:
    """Every other cut resets what is open, the others each connection within its next frame of about so many bytes; how many cuts."""
    clock = asyncio.get_running_loop().time
    chance = random.Random(seed)  # noqa: S311 - nothing to guard
    start, done = clock(), 0
    while (at := start + (done + 1) * every_s) < until:
        await asyncio.sleep(at - clock())
        link.cut(None if done % 2 else chance.randrange(frame_bytes))
        done += 1
    await asyncio.sleep(until - clock())
    return done
