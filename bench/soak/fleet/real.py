"""Real edges beside the light ones: `python -m edge`, which balances among all clouds itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bench.soak.edge import EdgeProcess
from bench.soak.ledger import faults_of, lines_of, read_rows

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Sequence
    from pathlib import Path

    from bench.soak.fleet.options import FleetOptions

_START_S = 120.0
_END_S = 60.0
_POLL_S = 0.2
_FPS = 2.0


class RealEdges:
    """As many as the options say. What is started is closed with `ends`."""

    def __init__(
        self, options: FleetOptions, flags: Sequence[str], folder: Path, ends: contextlib.ExitStack
    ) -> None:
        """`flags` are those of the clouds."""
        self._count, self._flags, self._folder, self._ends = options.real_edges, flags, folder, ends
        self._edges: list[EdgeProcess] = []
        self.records = 0

    async def start(self, clouds: Sequence[str]) -> None:
        """Returns when each has its first record. Raises RuntimeError."""
        flags = [
            *self._flags, *(f"--cloud-url={url}" for url in clouds), f"--source=synthetic:fps={_FPS:g},width=320,height=240",
        ]  # fmt: skip
        self._edges = [
            self._ends.enter_context(EdgeProcess(self._folder, f"edge {number}", flags))
            for number in range(1, self._count + 1)
        ]
        until = asyncio.get_running_loop().time() + _START_S
        while not all(each.count() for each in self._edges):
            if asyncio.get_running_loop().time() > until or not all(each.is_up() for each in self._edges):
                raise RuntimeError(f"a real edge does not start:\n{self._edges[0].said()}")
            await asyncio.sleep(_POLL_S)

    async def end(self, ledgers: Sequence[Path]) -> list[str]:
        """Stop them, and join their records with all ledgers: what is wrong, one line each. `records` counts them then."""
        for each in self._edges:
            each.process.terminate()
        wrong = []
        for each in self._edges:
            status = await asyncio.to_thread(each.process.wait, _END_S)
            if status:
                wrong.append(f"{each.name} ended with {status}")
        rows = [row for ledger in ledgers for row in read_rows(ledger)] if self._edges else []
        for each in self._edges:
            records = read_rows(each.results)
            frames_in, dropped = each.frames_in()
            self.records += len(records)
            own = lines_of(rows, records)
            found = faults_of(records, own, frames_in=frames_in, dropped=dropped)
            wrong += [f"{each.name}: {fault}" for fault in found]
        return wrong
