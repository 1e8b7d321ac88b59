"""An event loop that can prove that it never computes, and is given no reason to wait."""

from __future__ import annotations

import asyncio
import gc
import selectors
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from shared.observing.metrics import Metrics

_Result = TypeVar("_Result")

_SWITCH_INTERVAL_S = 0.001
"""How long a thread that runs Python may keep the interpreter from the event loop's; Python's own choice is 5 ms."""


class LoopWatch:
    """Times each turn of the loop, from the sockets to the sockets: that long, nobody else was heard.

    A turn is long because the loop computed, or because its thread had to wait: for the interpreter, which another
    thread held, or for a core. The thread's processor time tells the first from the rest.
    """

    def __init__(
        self,
        metrics: Metrics,
        clock: Callable[[], float] = time.perf_counter,
        thread_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._metrics = metrics
        self._clock = clock
        self._thread_clock = thread_clock
        self._began: tuple[float, float] | None = None
        self._longest_block_s = self._longest_computation_s = 0.0

    def begin(self) -> None:
        """The sockets were looked at."""
        self._began = self._clock(), self._thread_clock()

    def end(self) -> None:
        """The sockets will be looked at. The first turn, in whose middle the watch began, does not count."""
        if self._began is None:
            return
        block_s, computation_s = self._clock() - self._began[0], self._thread_clock() - self._began[1]
        self._metrics.loop_block.observe(block_s)
        if block_s > self._longest_block_s:
            self._longest_block_s = block_s
            self._metrics.loop_longest_block.set(block_s)
        if computation_s > self._longest_computation_s:
            self._longest_computation_s = computation_s
            self._metrics.loop_longest_computation.set(computation_s)


class _WatchedSelector(selectors.DefaultSelector):
    watch: LoopWatch | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.watch:
            self.watch.end()
        ready = super().select(timeout)
        if self.watch:
            self.watch.begin()
        return ready


class WatchedLoop(asyncio.SelectorEventLoop):
    """A selector event loop whose turns can be watched; two microseconds a turn while they are."""

    def __init__(self) -> None:
        self._watched = _WatchedSelector()
        super().__init__(self._watched)

    def watch(self, watch: LoopWatch | None) -> None:
        """From now on; None ends it."""
        self._watched.watch = watch


def run(main: Coroutine[Any, Any, _Result]) -> _Result:
    """`asyncio.run` on a loop that `undisturbed` can watch."""
    with asyncio.Runner(loop_factory=WatchedLoop) as runner:
        return runner.run(main)


@contextmanager
def undisturbed(metrics: Metrics) -> Iterator[None]:
    """While frames are served: watch the running loop, and let nothing that was loaded before hold it up."""
    loop = asyncio.get_running_loop()
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    # A full collection goes through all that torch brought, for 150 ms. Frozen, it is not looked at again. The second
    # collection finds nothing: it tells the collector how little there is now, else the next would come late and long.
    gc.collect()
    gc.freeze()
    gc.collect()
    if isinstance(loop, WatchedLoop):
        loop.watch(LoopWatch(metrics))
    try:
        yield
    finally:
        if isinstance(loop, WatchedLoop):
            loop.watch(None)
        gc.unfreeze()
        sys.setswitchinterval(interval_s)
