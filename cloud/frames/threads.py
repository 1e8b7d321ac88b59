"""The threads that the cloud computes on, so that its event loop never does."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Result = TypeVar("_Result")

_MAX_PICTURES = 8
"""Pictures that are resized at once, whatever the machine; shared/limits.py says how much memory each takes."""


class Pool:
    """Threads for one kind of work, which waits its turn. Used from one event loop only.

    A call costs half of what it does by way of `run_in_executor`, which makes a second future and copies it to the loop's.
    """

    def __init__(self, name: str, threads: int) -> None:
        """At most so many `threads`, each started when it is first needed."""
        self.size = threads
        self._name = name
        self._calls: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._started = self._unfinished = 0
        self._stopped = False
        self.calls = 0
        """Calls so far."""

    async def run(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        """Call `function` on a thread. A caller that is cancelled while it waits leaves none of its arguments behind."""
        return await self._run(function, arguments, to_end=False)

    async def run_to_end(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        """As `run`, for a caller who holds a turn at these threads: one that is cancelled holds it until the thread is free again.

        Otherwise whoever goes away as soon as his call has begun would have all threads, one turn after another.
        """
        return await self._run(function, arguments, to_end=True)

    async def run_noticed(
        self, ended: Callable[[], object], function: Callable[..., _Result], *arguments: Any
    ) -> _Result:
        """As `run`; `ended` is called on the event loop when the thread is free again, also if nobody waits for the result any more, and after
        whoever does has gone on with it.
        """
        return await self._run(function, arguments, to_end=False, ended=ended)

    async def _run(
        self,
        function: Callable[..., _Result],
        arguments: tuple[Any, ...],
        *,
        to_end: bool,
        ended: Callable[[], object] | None = None,
    ) -> _Result:
        if self._stopped:
            raise RuntimeError(f"the pool {self._name} was stopped")
        call = _Call(partial(function, *arguments), self._finished, ended)
        self._unfinished += 1
        self.calls += 1
        if self._started < min(self.size, self._unfinished):
            name = f"{self._name}_{self._started}"
            threading.Thread(target=_work, args=(self._calls,), name=name, daemon=True).start()
            self._started += 1
        self._calls.put(call)
        try:
            return await call.result
        except asyncio.CancelledError:
            if not call.forget() and to_end:
                await call.end()
            raise
        finally:
            del call  # an error refers to this frame, and the call to the error

    def start(self, function: Callable[[], object]) -> None:
        """From any thread: call `function` some time, on a thread that `run` has started; nobody waits for it.

        Does nothing once the pool is stopped.
        """
        if not self._stopped:
            self._calls.put(function)

    @property
    def is_idle(self) -> bool:
        """Whether no call is under way."""
        return not self._unfinished

    def waiting(self) -> int:
        """Calls that have no thread yet."""
        return self._calls.qsize()

    def stop(self) -> None:
        """Cancel the calls that wait; those that run are not waited for."""
        self._stopped = True
        with contextlib.suppress(Empty):
            while call := self._calls.get_nowait():
                if isinstance(call, _Call):
                    call.result.cancel()
        for _ in range(self._started):
            self._calls.put(None)

    def _finished(self) -> None:
        self._unfinished -= 1


class _Call(Generic[_Result]):
    """One call and its result. It stays in the queue when its caller is cancelled, so it must let go of what it holds."""

    def __init__(
        self, work: Callable[[], _Result], finished: Callable[[], None], ended: Callable[[], object] | None
    ) -> None:
        """`finished` and then `ended` are called on the event loop, whatever became of the call."""
        self._work = [work]  # whoever takes it out, the thread or the event loop, has it alone
        self._finished = finished
        self._notice = ended
        self._ended: asyncio.Future[None] | None = None
        self._settled = False
        self._loop = asyncio.get_running_loop()
        self.result: asyncio.Future[_Result] = self._loop.create_future()

    def __call__(self) -> None:
        """On the thread."""
        work = self._take()
        settle: Callable[[], object] = self.result.cancel
        if work:
            try:
                settle = partial(self.result.set_result, work())
            except BaseException as error:  # noqa: BLE001 - the caller's
                settle = partial(self.result.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._settle, settle)
        del self, work, settle  # an error refers to this frame, and they to the error

    def forget(self) -> bool:
        """On the event loop: nobody waits for the result. Whether it had not begun, and never will."""
        return self._take() is not None

    async def end(self) -> None:
        """On the event loop: wait for the end of a call that has begun, and that nobody waits for."""
        if not self._settled:
            self._ended = self._loop.create_future()
            await self._ended

    def _take(self) -> Callable[[], _Result] | None:
        try:
            return self._work.pop()
        except IndexError:
            return None

    def _settle(self, settle: Callable[[], object]) -> None:
        self._settled = True
        self._finished()
        if self._ended and not self._ended.done():
            self._ended.set_result(None)
        if not self.result.done():
            settle()
        if self._notice:  # an answer need not wait for it
            self._loop.call_soon(self._notice)


def _work(calls: SimpleQueue[Callable[[], object] | None]) -> None:
    while call := calls.get():
        with contextlib.suppress(Exception):  # a call keeps its own for its caller
            call()
        del call  # a body or a tensor: free it before there is another wait


class ThreadPools:
    """One pool for each kind of work, so that none of them waits behind another."""

    def __init__(self, threads: int, tail_workers: int = 0) -> None:
        """`threads` may compute at once; `tail_workers` tails run at once and share them, 0: one for every four threads."""
        self.threads = threads
        # Four threads run one tail nearly four times as fast; more of them help several tails more than one.
        self.tail_workers = tail_workers or max(1, threads // 4)
        self.tails = Pool("tail", self.tail_workers)
        self.decode = Pool("decode", max(2, threads))
        self.pictures = Pool("picture", min(_MAX_PICTURES, max(1, threads // 2)))
        """For pictures of the camera's own size, which take long."""
        self.profiles = Pool("profile", 1)
        """One thread: building a profile's tables may take a second, and frames are decoded meanwhile."""
        self.compiling = Pool("compile", 1)
        """For tails that are compiled while frames flow. One thread: what one frame waits for may be there for the next."""
        self.networks = Pool("network", 1)
        """For loading another network, which takes seconds or minutes."""
        self.files = Pool("file", 2)
        """For reading a bundle's files, from a disk that may be slow."""

    def stop(self) -> None:
        """Stop all of them."""
        for pool in (
            self.decode,
            self.pictures,
            self.profiles,
            self.compiling,
            self.networks,
            self.files,
            self.tails,
        ):
            pool.stop()
