"""Tails that compute nothing, for tests of how the cloud times its tails."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from kits.cloud import WAIT_S, Server, until

from cloud.batching.crossing import frames_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from cloud.batching.crossing import Crossing
    from shared.engines.half import Tensors
    from shared.network.partition import SplitPoint

RUNS = 4
"""Runs of one tail with one batch size, one of them to warm up."""


class Clock:
    """Takes the place of the module `time`; it stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    perf_counter = monotonic


class QuickTails:
    """Counts its runs, and waits in each while `gate` is closed."""

    def __init__(self, server: Server) -> None:
        self.ready: list[str] = []
        self.runs: list[tuple[str, int]] = []
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.during: Callable[[str, int, int], None] = lambda _split_point, _size, _times: None
        """Called in each run, with how often this tail ran with this batch size before."""
        tails = server.service.network.tails
        tails.make_ready = self._make_ready  # type: ignore[method-assign]
        tails.run = self._run  # type: ignore[method-assign]
        tails.begin = lambda *_, **__: None  # type: ignore[method-assign]
        self._counts: Counter[tuple[str, int]] = Counter()

    def _make_ready(self, ends: Sequence[SplitPoint]) -> None:
        self.ready = [point.name for point in ends]

    def _run(self, split_point: str, callers: Sequence[Crossing]) -> Tensors:
        (crossing,) = callers
        run = (split_point, frames_in(crossing))
        self.runs.append(run)
        assert self.gate.wait(WAIT_S)
        if self.error:
            raise self.error
        self.during(*run, self._counts[run])
        self._counts[run] += 1
        return (np.zeros((run[1], 1000), np.float32),)

    def entered(self) -> None:
        """Wait for the first run to begin."""
        until(lambda: bool(self.runs))


@contextlib.contextmanager
def quick(cache: Path | str = "", **settings: Any) -> Iterator[tuple[Server, QuickTails]]:
    """A server whose tails are quick; its gate is open at the end in any case."""
    with Server(cache_dir=str(cache), **settings) as server:
        tails = QuickTails(server)
        try:
            yield server, tails
        finally:
            tails.gate.set()


def tail_times(server: Server) -> Any:
    """What the server says of its tails."""
    answer = server.ask("GET", "/tail-times")
    assert answer.status == 200, answer
    return answer.json
