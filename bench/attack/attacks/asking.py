"""Attacks by questions that everybody with a token may ask, asked without a pause."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from bench.attack.target import together

if TYPE_CHECKING:
    from bench.attack.target import Target


async def listings(target: Target) -> None:
    """What the cloud runs and holds, in a loop."""
    paths = itertools.cycle(("/model", "/profiles"))
    await target.repeat(16, lambda: target.request("GET", next(paths)))


async def tail_times(target: Target) -> None:
    """The times of all tails, which the cloud measures for whoever asks."""
    await target.repeat(4, lambda: target.request("GET", "/tail-times"))


async def bundles(target: Target) -> None:
    """The network itself, again and again."""
    path = f"/bundle/{target.model['fingerprint']}/network.bin"

    async def one() -> None:
        held = await target.open()
        try:
            held.writer.write(target.request("GET", path))
            while await held.reader.read(1 << 20):
                pass
        finally:
            held.close()
        target.sent["read"] += 1

    await together(16, one)
