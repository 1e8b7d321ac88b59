"""An event loop that measures how long it blocks, and a process set up so that it hardly does."""

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

_FULL_COLLECTIONS = 2
"""A full collection follows on so many of younger objects; Python's default is 10. What refused requests leave behind lives in circles, and
25,000 such objects at once take 40 ms."""
_SWITCH_INTERVAL_S = 0.001
"""How long another thread may keep the interpreter lock while the event loop's thread waits for it; Python's default is 5 ms."""
_MOST_EVENTS = 32
"""Sockets that are looked after in one turn: however many are ready, others' timers and results do not wait for all of them."""
_ROUNDS_S = 0.0005
"""For how long the callbacks of a turn may bring others that are called in the same turn."""


class LoopWatch:
    """Times each turn of the loop, from one look at the sockets to the next: during it, no other event is handled.

    A turn is long because the loop computed, or because its thread had to wait for the interpreter lock or for a core. The
    thread's processor time distinguishes the first from the others.
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
        self._began: float | None = None
        self._thread_began = 0.0
        self._longest_block_s = self._longest_computation_s = 0.0

    def begin(self) -> None:
        """The selector has returned: a turn begins."""
        self._began, self._thread_began = self._clock(), self._thread_clock()

    def end(self) -> None:
        """The selector will be called: a turn ends. The turn during which the watch started does not count."""
        if self._began is None:
            return
        block_s = self._clock() - self._began
        self._metrics.loop_block.observe(block_s)
        if block_s > self._longest_block_s:
            self._longest_block_s = block_s
            self._metrics.loop_longest_block.set(block_s)
        if (
            block_s <= self._longest_computation_s
        ):  # no turn computes for longer than it lasts; this clock is a system call
            return
        computation_s = self._thread_clock() - self._thread_began
        if computation_s > self._longest_computation_s:
            self._longest_computation_s = computation_s
            self._metrics.loop_longest_computation.set(computation_s)


class _WatchedSelector(selectors.DefaultSelector):
    _watch: LoopWatch | None = None
    _turn = 0
    _look_at = 0.0  # when the sockets are looked at again, though callbacks wait

    def watch(self, watch: LoopWatch | None) -> None:
        self._watch, self._look_at = watch, 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout == 0 and time.perf_counter() < self._look_at:
            return []
        if self._watch:
            self._watch.end()
        ready = super().select(timeout)
        if self._watch:
            self._watch.begin()
        self._look_at = time.perf_counter() + _ROUNDS_S
        if len(ready) > _MOST_EVENTS:  # those that are left are ready still, and who is first changes
            first = self._turn = (self._turn + _MOST_EVENTS) % len(ready)
            ready = (ready[first:] + ready[:first])[:_MOST_EVENTS]
        return ready


class WatchedLoop(asyncio.SelectorEventLoop):
    """A selector event loop whose turns can be watched, at two microseconds per turn.

    asyncio looks at the sockets before each round of callbacks, of which a frame needs twenty. Here a turn may have several rounds.
    """

    def __init__(self) -> None:
        self._watched = _WatchedSelector()
        super().__init__(self._watched)

    def watch(self, watch: LoopWatch | None) -> None:
        """Watch every turn from now on; None stops watching."""
        self._watched.watch(watch)


def run(main: Coroutine[Any, Any, _Result]) -> _Result:
    """Like `asyncio.run`, on a loop that `undisturbed` can watch."""
    with asyncio.Runner(loop_factory=WatchedLoop) as runner:
        return runner.run(main)


@contextmanager
def undisturbed(metrics: Metrics) -> Iterator[None]:
    """While frames are served: watch the running loop, and keep the garbage collector from delaying it."""
    loop = asyncio.get_running_loop()
    interval_s, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    # A full collection visits every object that torch created, which takes 150 ms; frozen objects are not visited. The second
    # collection finds nothing: it makes the collector note how few objects are left, so that the next one is not late and long.
    gc.collect()
    gc.freeze()
    gc.collect()
    gc.set_threshold(*thresholds[:2], _FULL_COLLECTIONS)
    if isinstance(loop, WatchedLoop):
        loop.watch(LoopWatch(metrics))
    try:
        yield
    finally:
        if isinstance(loop, WatchedLoop):
            loop.watch(None)
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        sys.setswitchinterval(interval_s)
