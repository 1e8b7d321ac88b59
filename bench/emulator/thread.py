"""The emulator for callers without an event loop: it runs in a loop of its own, in a thread."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

from bench.emulator.link import Link
from bench.emulator.proxy import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from concurrent.futures import Future

P = ParamSpec("P")
T = TypeVar("T")

_NO_LIMITS = Link()
_CALL_S = 5.0
"""The emulator's loop never blocks; one that has not answered after this never will."""


def _in_its_loop(
    method: Callable[Concatenate[Emulator, P], T],
) -> Callable[Concatenate[EmulatorThread, P], T]:
    """The emulator's method, run in its loop while the caller waits."""

    def call(self: EmulatorThread, /, *arguments: P.args, **named: P.kwargs) -> T:
        async def run() -> T:
            return method(self.emulator, *arguments, **named)

        return self._submit(run).result(_CALL_S)

    return call


class EmulatorThread:
    """An `Emulator` whose methods may be called from any thread, and have taken effect when they return.

    They raise what the emulator raises, and RuntimeError before `start` and after `stop`. Its counters are those of
    `emulator`.
    """

    def __init__(self, host: str, port: int, link: Link = _NO_LIMITS, *, seed: int = 0) -> None:
        self.emulator = Emulator(host, port, link, seed=seed)
        self.port = 0
        """Where it listens, once it is started."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, port: int = 0) -> int:
        """As `Emulator.start`. Once only."""
        if self._thread:
            raise RuntimeError("the emulator was started already")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="emulator", daemon=True)
        self._thread.start()
        try:
            self.port = self._submit(lambda: self.emulator.start(port)).result(_CALL_S)
        except BaseException:
            self.stop()
            raise
        return self.port

    def stop(self, timeout_s: float = _CALL_S) -> None:
        """As `Emulator.close`. A second call does nothing. Raises TimeoutError."""
        if self._loop is None or self._thread is None:
            return
        self._submit(self._close).result(timeout_s)
        loop, self._loop = self._loop, None
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(timeout_s)
        loop.close()

    black_hole = _in_its_loop(Emulator.black_hole)
    blackout = _in_its_loop(Emulator.blackout)
    refuse = _in_its_loop(Emulator.refuse)
    cut = _in_its_loop(Emulator.cut)
    corrupt = _in_its_loop(Emulator.corrupt)
    change = _in_its_loop(Emulator.change)
    counts = _in_its_loop(Emulator.counts)

    def play(self, trace: Sequence[tuple[float, Link]]) -> Future[None]:
        """Begin with a trace; the future is done when it has been played, and cancels it. `stop` cancels it, too."""
        return self._submit(lambda: self.emulator.play(trace))

    def _submit(self, work: Callable[[], Coroutine[Any, Any, T]]) -> Future[T]:
        if self._loop is None:
            raise RuntimeError("the emulator is not running")
        return asyncio.run_coroutine_threadsafe(work(), self._loop)

    async def _close(self) -> None:
        await self.emulator.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
