"""A link that changes by a script: what somebody once measured on a train."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bench.emulator.link import Link

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.emulator.proxy import Emulator

_ACCEPTED = "seconds, up Mbit/s, delay ms[, jitter ms[, loss]]"


async def play(emulator: Emulator, trace: Sequence[tuple[float, Link]]) -> None:
    """One link after another, each for its seconds. The last one stays."""
    end_s = asyncio.get_running_loop().time()
    for seconds, link in trace:
        emulator.link = link
        end_s += seconds  # from the start, so that late wake-ups do not add up
        await asyncio.sleep(end_s - asyncio.get_running_loop().time())


def read_trace(text: str) -> list[tuple[float, Link]]:
    """One line for each link: seconds, up Mbit/s, delay ms[, jitter ms[, loss]]. The downlink has no limit.

    What follows a `#` is a comment. Raises ValueError with the line's number.
    """
    trace = []
    for number, line in enumerate(text.splitlines(), 1):
        if content := line.partition("#")[0].strip():
            try:
                trace.append(_step(content))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}; a line is: {_ACCEPTED}") from None
    return trace


def _step(content: str) -> tuple[float, Link]:
    fields = [float(field) for field in content.split(",")]
    if not 3 <= len(fields) <= 5:
        raise ValueError(f"{len(fields)} numbers in {content!r}")
    seconds, up_mbit_per_s, delay_ms, jitter_ms, loss = [*fields, 0.0, 0.0][:5]
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{seconds} seconds; accepted is a finite number, 0 or more")
    return seconds, Link(
        up_bits_per_s=up_mbit_per_s * 1e6,
        delay_s=delay_ms / 1e3,
        jitter_s=jitter_ms / 1e3,
        loss=loss,
    )
