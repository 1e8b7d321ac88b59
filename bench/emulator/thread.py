"""The emulator for those that have no event loop: it runs in one of its own, in a thread."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

from bench.emulator.link import Link
from bench.emulator.proxy import Emulator, play

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from bench.emulator.link import Direction

T = TypeVar("T")

_NO_LIMITS = Link()
_CALL_S = 5.0
"""The emulator's loop never blocks; one that has not answered after this never will."""


class EmulatorThread:
    """An `Emulator` whose methods may be called from any thread, and have taken effect when they return.

    They raise what the emulator raises, and RuntimeError before `start` and after `stop`.
    """

    def __init__(self, host: str, port: int, link: Link = _NO_LIMITS, *, seed: int = 0) -> None:
        self._emulator = Emulator(host, port, link, seed=seed)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping = asyncio.Event()
        self.port = 0
        """Where it listens, once it is started."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, port: int = 0) -> int:
        """As `Emulator.start`. Once only."""
        if self._thread:
            raise RuntimeError("the emulator was started already")
        started: Future[int] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run(port, started)), name="emulator", daemon=True
        )
        self._thread.start()
        self.port = started.result(_CALL_S)
        return self.port

    def stop(self, timeout_s: float = _CALL_S) -> None:
        """As `Emulator.close`; again does nothing. Raises TimeoutError."""
        loop, self._loop = self._loop, None
        if loop:
            loop.call_soon_threadsafe(self._stopping.set)
        if self._thread:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                raise TimeoutError(f"the emulator's thread has not ended in {timeout_s:g} s")

    @property
    def connections(self) -> int:
        return self._emulator.connections

    @property
    def open_connections(self) -> int:
        return self._emulator.open_connections

    @property
    def up_bytes(self) -> int:
        return self._emulator.up_bytes

    @property
    def down_bytes(self) -> int:
        return self._emulator.down_bytes

    @property
    def link(self) -> Link:
        return self._emulator.link

    @link.setter
    def link(self, link: Link) -> None:
        self._call(lambda: setattr(self._emulator, "link", link))

    def black_hole(self, on: bool) -> None:
        self._call(partial(self._emulator.black_hole, on))

    def blackout(self, on: bool) -> None:
        self._call(partial(self._emulator.blackout, on))

    def refuse(self, on: bool) -> None:
        self._call(partial(self._emulator.refuse, on))

    def cut(self, after_bytes: int | None = None) -> None:
        self._call(partial(self._emulator.cut, after_bytes))

    def corrupt(self, times: int, *, direction: Direction = "up", skip: int = 0) -> None:
        self._call(partial(self._emulator.corrupt, times, direction=direction, skip=skip))

    def retarget(self, host: str, port: int) -> None:
        self._call(partial(self._emulator.retarget, host, port))

    def play(self, trace: Sequence[tuple[float, Link]]) -> Future[None]:
        """Begin with it; the future is done when it has been played, and cancels it. `stop` cancels it, too."""
        return asyncio.run_coroutine_threadsafe(self._play(trace), self._running())

    async def _play(self, trace: Sequence[tuple[float, Link]]) -> None:
        await play(self._emulator, trace)

    async def _run(self, port: int, started: Future[int]) -> None:
        try:
            bound_port = await self._emulator.start(port)
        except Exception as error:  # noqa: BLE001 - the caller's
            started.set_exception(error)
            return
        self._loop = asyncio.get_running_loop()
        started.set_result(bound_port)
        await self._stopping.wait()
        await self._emulator.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("the emulator is not running")
        return self._loop

    def _call(self, function: Callable[[], T]) -> T:
        done: Future[T] = Future()

        def call() -> None:
            try:
                done.set_result(function())
            except Exception as error:  # noqa: BLE001 - the caller's
                done.set_exception(error)

        self._running().call_soon_threadsafe(call)
        return done.result(_CALL_S)
