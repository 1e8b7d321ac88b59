"""The clouds of a fleet, each with its lives: from when it took frames until it was killed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.harness.priority import lowered
from bench.harness.system import Cloud

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_START_S = 240.0
_FIRST_START_S = 600.0
"""The first one may have to make the network's bundle."""


@dataclass(slots=True)
class Life:
    """Seconds of the event loop's clock."""

    start: float
    end: float | None = None
    """None: it lives."""


class Member:
    """One cloud of the fleet, at the same port in all its lives, with a ledger of its own."""

    def __init__(self, number: int, flags: Sequence[str], folder: Path, *, start_last: bool) -> None:
        self.name = f"cloud {number}"
        self.ledger = folder / f"ledger-{number}.jsonl"
        self.process = Cloud([*flags, f"--ledger={self.ledger}"], log=folder / f"cloud-{number}.log")
        self.lives: list[Life] = []
        self._start_last = start_last

    @property
    def kills(self) -> int:
        return sum(life.end is not None for life in self.lives)

    async def start(self, patience_s: float = _START_S) -> None:
        """Returns when it takes frames. Raises RuntimeError if it does not.

        With a machine of its own its start would take nothing from the others: here it goes after them, where that can be undone. Where
        others keep the machine busy, it would never end.
        """
        self.process.start()
        with lowered(self.process.pid) if self._start_last else contextlib.nullcontext():
            await asyncio.to_thread(self.process.wait_until_ready, patience_s)
        self.lives.append(Life(_now()))

    def kill(self) -> None:
        self.process.kill()
        self.lives[-1].end = _now()


class Clouds:
    """All of them. What is started is closed with `ends`."""

    def __init__(
        self,
        count: int,
        flags: Sequence[str],
        folder: Path,
        ends: contextlib.ExitStack,
        *,
        start_last: bool = True,
    ) -> None:
        """`start_last`: whether the start of one goes after all else that this machine does."""
        self.members = [
            Member(number, flags, folder, start_last=start_last) for number in range(1, count + 1)
        ]
        for each in self.members:
            ends.callback(each.process.close)

    @property
    def ports(self) -> list[int]:
        return [each.process.port for each in self.members]

    async def start(self, members: Sequence[Member]) -> None:
        """One after another, as the first makes what the others find. Raises RuntimeError."""
        for each in members:
            await each.start(_FIRST_START_S)

    async def kill_in_turn(self, every_s: float, until: float) -> None:
        """Kill one, start it again at once, and so on; never a second one before the first takes frames again.

        Raises RuntimeError if one does not come up.
        """
        start = _now()
        for count, member in enumerate(itertools.cycle(self.members)):
            await asyncio.sleep(start + count * every_s - _now())
            if _now() >= until:
                return
            member.kill()
            await member.start()


def alive_s(lives: Sequence[Life], start: float, end: float) -> float:
    """For how many seconds between these two there was a life."""
    return sum(max(0.0, min(end, life.end or end) - max(start, life.start)) for life in lives)


def _now() -> float:
    return asyncio.get_running_loop().time()
