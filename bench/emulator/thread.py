"""The emulator for callers without an event loop: it runs in a loop of its own, in a thread."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Self, TypeVar

from bench.emulator.link import Link
from bench.emulator.proxy import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
        loop = self.loop()  # first, as a coroutine must be awaited once it is made

        async def run() -> T:
            return method(self.emulator, *arguments, **named)

        return asyncio.run_coroutine_threadsafe(run(), loop).result(_CALL_S)

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
        self._stopping = asyncio.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, port: int = 0) -> int:
        """As `Emulator.start`. Once only."""
        if self._thread:
            raise RuntimeError("the emulator was started already")
        started: Future[int] = Future()
        run = partial(asyncio.run, self._run(port, started))
        self._thread = threading.Thread(target=run, name="emulator", daemon=True)
        self._thread.start()
        self.port = started.result(_CALL_S)
        return self.port

    def stop(self, timeout_s: float = _CALL_S) -> None:
        """As `Emulator.close`. A second call does nothing. Raises TimeoutError."""
        loop, self._loop = self._loop, None
        if loop:
            loop.call_soon_threadsafe(self._stopping.set)
        if self._thread:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                raise TimeoutError(f"the emulator's thread has not ended in {timeout_s:g} s")

    black_hole = _in_its_loop(Emulator.black_hole)
    blackout = _in_its_loop(Emulator.blackout)
    refuse = _in_its_loop(Emulator.refuse)
    cut = _in_its_loop(Emulator.cut)
    corrupt = _in_its_loop(Emulator.corrupt)
    _change = _in_its_loop(Emulator.change)

    @property
    def link(self) -> Link:
        return self.emulator.link

    @link.setter
    def link(self, link: Link) -> None:
        self._change(link)

    def play(self, trace: Sequence[tuple[float, Link]]) -> Future[None]:
        """Begin with a trace; the future is done when it has been played, and cancels it. `stop` cancels it, too."""
        loop = self.loop()
        return asyncio.run_coroutine_threadsafe(self.emulator.play(trace), loop)

    def loop(self) -> asyncio.AbstractEventLoop:
        """The emulator's. Raises RuntimeError if it is not running."""
        if self._loop is None:
            raise RuntimeError("the emulator is not running")
        return self._loop

    async def _run(self, port: int, started: Future[int]) -> None:
        try:
            bound_port = await self.emulator.start(port)
        except Exception as error:  # noqa: BLE001 - the caller's
            started.set_exception(error)
            return
        self._loop = asyncio.get_running_loop()
        started.set_result(bound_port)
        await self._stopping.wait()
        await self.emulator.close()
